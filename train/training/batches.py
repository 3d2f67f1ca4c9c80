"""Training batches and random numbers, both functions of (seed, epoch, update) and of nothing that happened before.

Each use of random numbers has its own stream for each (seed, epoch, step). A resumed run, also within an epoch, draws
what it would have drawn without the stop, and no generator state has to be saved. Plans and draws are made for the
global batch and then sliced: classes are balanced over all processes together, and two processes of 16 see the cases
and augmentations that one of 32 sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from dermnote.errors import CasesError

from ..data.image_cache import Squares

ORDER, NOTES, VIEWS, MIXING, DROPOUT = range(5)  # streams


def seeded(seed: int, epoch: int, step: int = 0, stream: int = ORDER, process: int = 0) -> torch.Generator:
    """Return a CPU generator for each (seed, epoch, step, stream, process)."""
    key = [seed % 2**32, epoch, step, stream, process]
    entropy = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(entropy >> np.uint64(1)))


def seed_dropout(seed: int, epoch: int, step: int, process: int) -> None:
    """Seed torch's global generators, which dropout uses: the only numbers that differ between processes."""
    torch.manual_seed(seeded(seed, epoch, step, DROPOUT, process).initial_seed())


class BatchPlan:
    """Cases of every batch of a run.

    An epoch draws as many cases as there are, rounded down to whole updates. With fewer cases than one update holds,
    batches are smaller.

    Args:
        labels: (n,) class id of each case.
        batch_size: Cases of one process in one pass.
        processes: Number of processes.
        accumulate: Passes whose gradients make one update.
        balance: Class balance: 0 shows each case once, 1 draws every class equally often; between them a class of c
            cases is drawn in proportion to c ** (1 - balance).
        seed: Seed of the run.

    Attributes:
        updates: Updates of an epoch.
        shape: (passes, processes, cases) of one update.

    Raises:
        CasesError: There are fewer cases than processes.
    """

    def __init__(
        self, labels: np.ndarray, batch_size: int, processes: int, accumulate: int, balance: float, seed: int
    ) -> None:
        if len(labels) < processes:
            raise CasesError(f"{len(labels)} training cases are too few for {processes} processes.")
        cases = min(batch_size, len(labels) // processes)
        passes = max(1, min(accumulate, len(labels) // (cases * processes)))
        self.labels, self.shape = labels, (passes, processes, cases)
        self.updates = len(labels) // (passes * processes * cases)
        self._seed = seed
        counts = np.bincount(labels)
        self._weights = torch.from_numpy(counts[labels] ** -float(balance)) if balance else None
        self._order = lru_cache(maxsize=1)(self._draw_order)

    @property
    def cases_per_update(self) -> int:
        """Cases of all processes and passes of one update."""
        return int(np.prod(self.shape))

    def rows(self, epoch: int, update: int) -> np.ndarray:
        """Return the case numbers of one update, (passes, processes, cases)."""
        size = self.cases_per_update
        return self._order(epoch)[update * size : (update + 1) * size].reshape(self.shape)

    def _draw_order(self, epoch: int) -> np.ndarray:
        generator, count = seeded(self._seed, epoch, stream=ORDER), len(self.labels)
        if self._weights is None:
            return torch.randperm(count, generator=generator).numpy()
        return torch.multinomial(self._weights, count, True, generator=generator).numpy()


class ProcessBatches(Sampler[list[int]]):
    """Batches of one process in one epoch, starting at any update.

    Attributes:
        epoch: Counted from 0.
        first: First update.
    """

    def __init__(self, plan: BatchPlan, process: int) -> None:
        self._plan, self._process = plan, process
        self.epoch, self.first = 0, 0

    def __len__(self) -> int:
        return (self._plan.updates - self.first) * self._plan.shape[0]

    def __iter__(self) -> Iterator[list[int]]:
        for update in range(self.first, self._plan.updates):
            for rows in self._plan.rows(self.epoch, update):
                yield rows[self._process].tolist()


def image_loader(
    images: Squares, batches: ProcessBatches, workers: int, pin_memory: bool = False
) -> DataLoader[Tensor]:
    """Return a loader of image batches, (B, 3, L, L) uint8.

    Args:
        images: Training images.
        batches: Its `epoch` and `first` are read when an iteration begins.
        workers: Processes that decode; 0 decodes in this one.
        pin_memory: Whether batches are in page-locked memory.
    """
    return DataLoader(
        images,  # type: ignore[arg-type]  # the loader only needs a sequence
        batch_sampler=batches,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=pin_memory,
        collate_fn=torch.stack,
        generator=torch.Generator(),  # a separate one: an iterator must not draw from the global generator
    )
