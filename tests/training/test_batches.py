"""Batches: class balance, an order that follows from (seed, epoch), and shares of processes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dermnote.errors import CasesError
from tests.tiny_cases import write_cases
from train.data.cases import Cases
from train.data.image_cache import Squares, decode_square
from train.training.batches import BatchPlan, ProcessBatches, image_loader, seeded

KINDS = [0] * 12 + [1] * 3 + [2] * 1


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    return Cases.read(write_cases(tmp_path_factory.mktemp("tiny") / "cases", KINDS, [0, 1]), splits=["train"])


def plan(labels: np.ndarray, batch: int = 5, processes: int = 1, passes: int = 1, balance: float = 0.0) -> BatchPlan:
    return BatchPlan(labels, batch, processes, passes, balance, seed=0)


def drawn(a_plan: BatchPlan, epoch: int = 0) -> list[int]:
    return [int(row) for update in range(a_plan.updates) for row in a_plan.rows(epoch, update).reshape(-1)]


@pytest.mark.parametrize(("balance", "shares"), [(1.0, [1 / 3] * 3), (0.5, [30, 9.49, 3.16]), (0.0, [90, 9, 1])])
def test_classes_are_drawn_with_the_given_balance(balance: float, shares: list[float]) -> None:
    labels = np.repeat([0, 1, 2], [9000, 900, 100])
    counts = np.bincount(labels[drawn(plan(labels, balance=balance))], minlength=3)
    assert counts.sum() == 10_000
    expected = 10_000 * np.array(shares) / sum(shares)
    assert (abs(counts - expected) < 200).all()


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


def test_streams_of_random_numbers_differ() -> None:
    keys = [(0, 0, 0, 0, 0), (1, 0, 0, 0, 0), (0, 1, 0, 0, 0), (0, 0, 1, 0, 0), (0, 0, 0, 1, 0), (0, 0, 0, 0, 1)]
    assert len({torch.rand(1, generator=seeded(*key)).item() for key in keys}) == len(keys)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_batch_holds_the_images_of_its_rows(cases: Cases, workers: int) -> None:
    a_plan = plan(cases.table["class_id"].to_numpy())
    loader = image_loader(Squares(cases.images, 24, cache_bytes=1e9), ProcessBatches(a_plan, 0), workers)
    batches = list(loader)
    assert len(batches) == 3  # 16 cases; a lone last one would break BatchNorm
    for update, pixels in enumerate(batches):
        assert (pixels.shape, pixels.dtype) == ((5, 3, 24, 24), torch.uint8)
        for row, square in zip(a_plan.rows(0, update).reshape(-1), pixels, strict=True):
            assert torch.equal(square, decode_square(cases.images[int(row)], 24))
