"""Batches: balance, order that follows from (seed, epoch), notes drawn and masked, pictures kept or decoded again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_cases import NAMES, write_cases

from dermnote.errors import CasesError
from train.data.cases import Cases
from train.data.image_cache import Squares, decode_square, square_batches
from train.runtime.randomness import seeded
from train.training.batches import BatchPlan, ProcessBatches, picture_loader
from train.training.embedding import text_features
from train.training.note_table import NoteTable
from train.training.training_data import training_side

KINDS = [0] * 12 + [1] * 3 + [2] * 1


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    return Cases.read(write_cases(tmp_path_factory.mktemp("tiny") / "cases", KINDS, [0, 1]), splits=["train"])


def plan(labels: np.ndarray, batch: int = 5, processes: int = 1, passes: int = 1, balance: float = 0.0) -> BatchPlan:
    return BatchPlan(labels, batch, processes, passes, balance, seed=0)


def drawn(a_plan: BatchPlan, epoch: int = 0) -> list[int]:
    return [int(row) for update in range(a_plan.updates) for row in a_plan.rows(epoch, update).reshape(-1)]


@pytest.mark.parametrize(("balance", "shares"), [(1.0, [1 / 3] * 3), (0.5, [30, 9.49, 3.16]), (0.0, [90, 9, 1])])
def test_classes_are_drawn_as_far_alike_as_asked(balance: float, shares: list[float]) -> None:
    labels = np.repeat([0, 1, 2], [9000, 900, 100])
    counts = np.bincount(labels[drawn(plan(labels, balance=balance))], minlength=3)
    assert counts.sum() == 10_000
    wanted = 10_000 * np.array(shares) / sum(shares)
    assert (abs(counts - wanted) < 200).all()


def test_a_class_without_a_case_does_not_disturb_the_balance() -> None:
    labels = np.repeat([0, 3], [500, 50])
    counts = np.bincount(labels[drawn(plan(labels, balance=1.0))], minlength=4)
    assert abs(int(counts[0]) - int(counts[3])) < 100
    assert counts[1] == counts[2] == 0


def test_plain_sampling_shows_each_case_once() -> None:
    order = drawn(plan(np.zeros(20, np.int64)))
    assert sorted(order) == list(range(20)) != order


@pytest.mark.parametrize("balance", [1.0, 0.0])
def test_the_order_follows_from_seed_and_epoch(balance: float) -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return drawn(BatchPlan(np.arange(50) % 3, 5, 1, 1, balance, seed), epoch)

    assert order(1, 4) == order(1, 4)
    assert len({tuple(order(seed, epoch)) for seed in (1, 2) for epoch in (0, 1)}) == 4


@pytest.mark.parametrize("balance", [1.0, 0.0])
def test_two_processes_take_what_one_with_twice_the_batch_takes(balance: float) -> None:
    labels = np.arange(70) % 3
    one, two = plan(labels, 16, 1, balance=balance), plan(labels, 8, 2, balance=balance)
    assert drawn(one, 3) == drawn(two, 3)
    sides = [ProcessBatches(two, process) for process in (0, 1)]
    for update, both in enumerate(zip(*sides, strict=True)):
        assert [*both[0], *both[1]] == one.rows(0, update).reshape(-1).tolist()
    assert len(sides[0]) == one.updates == 4  # 70 cases: what fills no batch is left out


def test_an_epoch_begins_anywhere() -> None:
    batches = ProcessBatches(plan(np.arange(60) % 3, 5, 2, 3, balance=1.0), 1)
    batches.epoch = 2
    whole = list(batches)
    batches.first = 1
    assert list(batches) == whole[3:]  # three passes an update
    assert len(batches) == len(whole) - 3


def test_few_cases_make_smaller_batches_and_too_few_are_refused() -> None:
    assert plan(np.zeros(16, np.int64), 64).shape == (1, 1, 16)
    assert plan(np.zeros(16, np.int64), 5, 2, 9).shape == (1, 2, 5)
    with pytest.raises(CasesError, match="1 training cases are too few for 2 processes"):
        plan(np.zeros(1, np.int64), 5, 2)


def test_streams_of_random_numbers_are_apart() -> None:
    keys = [(0, 0, 0, 0, 0), (1, 0, 0, 0, 0), (0, 1, 0, 0, 0), (0, 0, 1, 0, 0), (0, 0, 0, 1, 0), (0, 0, 0, 0, 1)]
    assert len({torch.rand(1, generator=seeded(*key)).item() for key in keys}) == len(keys)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_batch_carries_the_pictures_of_its_rows(cases: Cases, workers: int) -> None:
    a_plan = plan(cases.table["class_id"].to_numpy())
    loader = picture_loader(Squares(cases.images, 24, cache_bytes=1e9), ProcessBatches(a_plan, 0), workers)
    batches = list(loader)
    assert len(batches) == 3  # 16 cases; a lone last one would break BatchNorm
    for update, pixels in enumerate(batches):
        assert (pixels.shape, pixels.dtype) == ((5, 3, 24, 24), torch.uint8)
        for row, square in zip(a_plan.rows(0, update).reshape(-1), pixels, strict=True):
            assert torch.equal(square, decode_square(cases.images[int(row)], 24))


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
    from train.training.train_config import TrainConfig

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
    numbers = table.draw([0] * 4000 + [2], torch.rand(4001, 2, generator=seeded(0, 0))).tolist()
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
    drawn = {table.texts[number] for number in table.draw([0] * 50, torch.rand(50, 2, generator=seeded(0, 0))).tolist()}
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
    from dermnote.models.image_encoder import ImageEncoder
    from dermnote.models.joint_model import DermNoteModel
    from dermnote.models.text_encoder import TextEncoder

    texts = [f"{'very ' * (n % 4)}brown mark {n}" for n in range(9)]
    encoder = TextEncoder.from_scratch(texts, hidden_size=8, layers=1, heads=1, vocab_size=60)
    model = DermNoteModel(ImageEncoder("mobilenet_v3_small", None, 32), encoder, 2, 4).eval()
    together = text_features(model, texts, 4, torch.device("cpu"))
    alone = torch.cat([text_features(model, [text], 1, torch.device("cpu")) for text in texts])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-5)
