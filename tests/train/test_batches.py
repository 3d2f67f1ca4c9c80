"""Batches: balance, order that follows from (seed, epoch), notes drawn and masked, pictures kept or decoded again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_cases import NAMES, write_cases

from train.batches import EpochSampler, NoteTable, seeded, training_loader
from train.cases import Cases
from train.embed import text_features
from train.fitting.training_data import training_side
from train.squares import Squares, decode_square, square_batches

KINDS = [0] * 12 + [1] * 3 + [2] * 1


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    return Cases.read(write_cases(tmp_path_factory.mktemp("tiny") / "cases", KINDS, [0, 1]), splits=["train"])


def test_balanced_sampling_draws_every_class_equally_often() -> None:
    labels = np.repeat([0, 1, 2], [900, 90, 10])
    counts = np.bincount(labels[list(EpochSampler(labels, balanced=True, seed=0))], minlength=3)
    assert counts.sum() == 1000
    assert abs(counts - 1000 / 3).max() < 60


def test_a_class_without_a_case_does_not_disturb_the_balance() -> None:
    labels = np.repeat([0, 3], [50, 5])
    counts = np.bincount(labels[list(EpochSampler(labels, balanced=True, seed=0))], minlength=4)
    assert abs(int(counts[0]) - int(counts[3])) < 30
    assert counts[1] == counts[2] == 0


def test_plain_sampling_shows_each_case_once() -> None:
    order = list(EpochSampler(np.zeros(20, np.int64), balanced=False, seed=0))
    assert sorted(order) == list(range(20)) != order


@pytest.mark.parametrize("balanced", [True, False])
def test_the_order_follows_from_seed_and_epoch(balanced: bool) -> None:
    def order(seed: int, epoch: int) -> list[int]:
        sampler = EpochSampler(np.arange(50) % 3, balanced, seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(1, 4) == order(1, 4)
    assert len({tuple(order(seed, epoch)) for seed in (1, 2) for epoch in (0, 1)}) == 4


def test_streams_of_random_numbers_are_apart() -> None:
    keys = [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)]
    assert len({torch.rand(1, generator=seeded(*key)).item() for key in keys}) == len(keys)


def test_a_batch_carries_pictures_labels_and_rows(cases: Cases) -> None:
    labels = cases.table["class_id"].to_numpy()
    squares = Squares(cases.images, 24, cache_bytes=1e9)
    loader = training_loader(squares, labels, EpochSampler(labels, False, 0), batch_size=5, workers=0)
    batches = list(loader)
    assert [len(rows) for _, _, rows in batches] == [5, 5, 5]  # 16 cases; a lone last one would break BatchNorm
    for pixels, kinds, rows in batches:
        assert (pixels.shape, pixels.dtype) == ((5, 3, 24, 24), torch.uint8)
        assert kinds.tolist() == labels[rows.numpy()].tolist()
        assert torch.equal(pixels[0], decode_square(cases.images[int(rows[0])], 24))


def test_fewer_cases_than_a_batch_still_make_one(cases: Cases) -> None:
    labels = cases.table["class_id"].to_numpy()
    loader = training_loader(Squares(cases.images, 8, 0), labels, EpochSampler(labels, False, 0), 64, 0)
    assert [len(rows) for _, _, rows in loader] == [16]


def test_kept_pictures_equal_those_decoded_again(cases: Cases) -> None:
    kept, again = Squares(cases.images, 24, cache_bytes=1e9), Squares(cases.images, 24, cache_bytes=0)
    assert all(torch.equal(kept[i], again[i]) for i in range(len(cases)))
    for one, other in zip(kept.batches(7), again.batches(7), strict=True):
        assert one[0] == other[0]
        assert torch.equal(one[1], other[1])


def test_threads_keep_the_order_and_pass_on_a_damaged_picture(cases: Cases) -> None:
    from dermnote.errors import PictureError

    rows = torch.cat([batch for _, batch in square_batches(cases.images, 8, 5)])
    assert torch.equal(rows, torch.stack([decode_square(jpeg, 8) for jpeg in cases.images]))
    with pytest.raises(PictureError):
        list(square_batches([cases.images[0], b"no picture"], 8, 2))


def test_training_pictures_are_read_larger_only_where_they_are_cropped() -> None:
    from train.config import TrainConfig

    image_only = TrainConfig(multimodal=False, image_size=224)
    assert training_side(image_only) == 256
    assert training_side(image_only.with_values(augment=False)) == 224


NOTES = {
    "squares/train-0": {"m": "A melanoma, dark.", "p3": "A dark spot."},
    "squares/train-1": {"m": "A melanoma, dark."},
}


def test_notes_are_drawn_by_strategy_and_masked_by_chance(cases: Cases) -> None:
    table = NoteTable.build(cases, NOTES, mask_chance=0.25)
    assert table.without_note == len(cases) - 2
    numbers = table.draw([0] * 4000 + [2], seeded(0, 0)).tolist()
    assert numbers[-1] == -1
    seen = Counter(table.texts[number] for number in numbers[:-1])
    assert seen["A dark spot."] / 4000 == pytest.approx(0.5, abs=0.05)  # nothing to mask: the same either way
    assert seen["A melanoma, dark."] / 4000 == pytest.approx(0.375, abs=0.05)
    masked = [text for text in seen if "masked" in text]
    assert len(masked) == 1
    assert "melanoma" not in masked[0]


def test_without_masking_every_note_is_as_written(cases: Cases) -> None:
    table = NoteTable.build(cases, NOTES, mask_chance=0)
    assert set(table.texts) == {"A melanoma, dark.", "A dark spot."}
    drawn = {table.texts[number] for number in table.draw([0] * 50, seeded(0, 0)).tolist()}
    assert drawn == set(table.texts)


def test_masking_takes_a_folders_own_class_names_too(tmp_path: Path) -> None:
    names = ("zebra stripe", *NAMES[1:])
    own = Cases.read(write_cases(tmp_path / "own", [0], [0], names), splits=["train"])
    table = NoteTable.build(own, {"squares/train-0": {"m": "A zebra stripe of the spotted kind."}}, mask_chance=1)
    assert "zebra" not in table.texts[table.masked[0][0]]
    assert "spotted" not in table.texts[table.masked[0][0]]


def test_a_note_that_says_nothing_once_masked_stays_as_written(cases: Cases) -> None:
    rows = {"a": 0, "b": 12, "c": 15}  # one case of each class
    bare = {f"squares/train-{rows[k]}": {"m": f"Diagnosed as {NAMES[n]}."} for n, k in enumerate("abc")}
    assert len({cases.table["label"][row] for row in rows.values()}) == 3
    table = NoteTable.build(cases, bare, mask_chance=1)
    assert table.masked == table.written
    telling = {**bare, "squares/train-0": {"m": f"Diagnosed as {NAMES[0]}. Round."}}
    table = NoteTable.build(cases, telling, mask_chance=1)
    assert "Round" in table.texts[table.masked[0][0]]
    assert NAMES[0] not in table.texts[table.masked[0][0]]


def test_vectors_of_notes_come_back_in_their_order() -> None:
    from dermnote.encoders import ImageEncoder, TextEncoder
    from dermnote.model import DermNoteModel

    texts = [f"{'very ' * (n % 4)}brown mark {n}" for n in range(9)]
    encoder = TextEncoder.from_scratch(texts, hidden_size=8, layers=1, heads=1, vocab_size=60)
    model = DermNoteModel(ImageEncoder("mobilenet_v3_small", None, 32), encoder, 2, 4).eval()
    together = text_features(model, texts, 4, torch.device("cpu"))
    alone = torch.cat([text_features(model, [text], 1, torch.device("cpu")) for text in texts])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-5)
