"""Batches of cases and notes: class balance, an order that follows from (seed, epoch), shares of processes, masking."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from dermnote.errors import CasesError
from tests.tiny_cases import NAMES, write_cases
from train.data.cases import Cases
from train.data.image_cache import Squares, decode_square
from train.training.batches import BatchPlan, ProcessBatches, image_loader, seeded
from train.training.train_config import TrainConfig
from train.training.training_data import NoteTable, training_side

KINDS = [0] * 12 + [1] * 3 + [2] * 1


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    return Cases.read(write_cases(tmp_path_factory.mktemp("tiny") / "cases", KINDS, [0, 1]), splits=["train"])


def plan(labels: np.ndarray, batch: int = 5, processes: int = 1, passes: int = 1, balance: float = 0.0) -> BatchPlan:
    return BatchPlan(labels, batch, processes, passes, balance, seed=0)


def drawn(a_plan: BatchPlan, epoch: int = 0) -> list[int]:
    return [int(row) for update in range(a_plan.updates) for row in a_plan.rows(epoch, update).reshape(-1)]


@pytest.mark.parametrize(
    ("cases_of", "balance", "expected"),
    [
        ([9000, 900, 0, 100], 1.0, [3333, 3333, 0, 3333]),  # a class without cases does not disturb the balance
        ([9000, 900, 0, 100], 0.5, [7032, 2224, 0, 741]),
        ([9000, 900, 0, 100], 0.0, [9000, 900, 0, 100]),
    ],
)
def test_classes_are_drawn_with_the_given_balance(cases_of: list[int], balance: float, expected: list[int]) -> None:
    labels = np.repeat(range(4), cases_of)
    order = drawn(plan(labels, balance=balance))
    assert (abs(np.bincount(labels[order], minlength=4) - expected) < 200).all()
    assert balance or sorted(order) == list(range(10_000)) != order  # each case once, shuffled


@pytest.mark.parametrize("balance", [1.0, 0.0])
def test_the_order_follows_from_seed_and_epoch_for_any_number_of_processes(balance: float) -> None:
    labels = np.arange(70) % 3
    orders = [drawn(BatchPlan(labels, 5, 1, 1, balance, seed), epoch) for seed in (1, 2) for epoch in (0, 1)]
    assert len(set(map(tuple, orders))) == 4
    one, two = plan(labels, 16, 1, balance=balance), plan(labels, 8, 2, balance=balance)
    assert drawn(one, 3) == drawn(two, 3)
    sides = [ProcessBatches(two, process) for process in (0, 1)]
    for update, both in enumerate(zip(*sides, strict=True)):
        assert [*both[0], *both[1]] == one.rows(0, update).reshape(-1).tolist()
    assert len(sides[0]) == one.updates == 4  # 70 cases: an incomplete batch is left out


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


def test_streams_of_random_numbers_differ() -> None:
    keys = [(0,) * 5, *(tuple(row) for row in np.eye(5, dtype=int).tolist())]
    assert len({torch.rand(1, generator=seeded(*key)).item() for key in keys}) == len(keys)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_batch_holds_the_images_of_its_rows(cases: Cases, workers: int) -> None:
    a_plan = plan(cases.table["class_id"].to_numpy())
    batches = list(image_loader(Squares(cases.images, 24, cache_bytes=1e9), ProcessBatches(a_plan, 0), workers))
    assert len(batches) == 3  # 16 cases; a lone last one would break BatchNorm
    for update, pixels in enumerate(batches):
        assert (pixels.shape, pixels.dtype) == ((5, 3, 24, 24), torch.uint8)
        for row, square in zip(a_plan.rows(0, update).reshape(-1), pixels, strict=True):
            assert torch.equal(square, decode_square(cases.images[int(row)], 24))


def test_training_images_are_read_larger_only_if_they_are_cropped() -> None:
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
    (masked,) = [text for text in seen if "masked" in text]
    assert "melanoma" not in masked
    assert set(NoteTable.build(cases, NOTES, mask_chance=0).texts) == {"A melanoma, dark.", "A dark spot."}


def test_masking_includes_the_class_names_of_the_cases(tmp_path: Path) -> None:
    names = ("zebra stripe", *NAMES[1:])
    cases = Cases.read(write_cases(tmp_path / "own", [0], [0], names), splits=["train"])
    table = NoteTable.build(cases, {"squares/train-0": {"m": "A zebra stripe of the spotted kind."}}, mask_chance=1)
    masked = table.texts[table.masked[0][0]]
    assert "zebra" not in masked and "spotted" not in masked


def test_a_note_without_information_once_masked_stays_as_written(cases: Cases) -> None:
    bare = {f"squares/train-{row}": {"m": f"Diagnosed as {NAMES[KINDS[row]]}."} for row in (0, 12, 15)}  # all classes
    table = NoteTable.build(cases, bare, mask_chance=1)
    assert table.masked == table.written
    informative = {**bare, "squares/train-0": {"m": f"Diagnosed as {NAMES[0]}. Round."}}
    table = NoteTable.build(cases, informative, mask_chance=1)
    masked = table.texts[table.masked[0][0]]
    assert "Round" in masked and NAMES[0] not in masked
