"""Training batches: which cases, in which order, in which process.

The plan of an epoch follows from (seed, epoch) and is the same in every process; each takes its part of it. So classes
are balanced over all processes together, two processes of 16 see the cases that one of 32 sees, and a run goes on at
any step without having to skip through what came before.
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
from ..runtime.randomness import ORDER, seeded


class BatchPlan:
    """The cases of every batch of a run.

    An epoch has as many draws as there are cases, less what fills no update; fewer cases than one update asks for make
    smaller batches.

    Args:
        labels: (n,) class id of each case.
        batch_size: Cases of one process in one pass.
        processes: Processes that train together.
        accumulate: Passes whose gradients make one update.
        balance: How far classes are drawn alike: 0 shows each case once, 1 draws every class equally often, and
            between them a class of c cases is drawn in proportion to c ** (1 - balance).
        seed: Of the run.

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
        """Case numbers of one update, `shape`; the last axis holds one pass of one process."""
        size = self.cases_per_update
        return self._order(epoch)[update * size : (update + 1) * size].reshape(self.shape)

    def _draw_order(self, epoch: int) -> np.ndarray:
        generator, count = seeded(self._seed, epoch, stream=ORDER), len(self.labels)
        if self._weights is None:
            return torch.randperm(count, generator=generator).numpy()
        return torch.multinomial(self._weights, count, True, generator=generator).numpy()


class ProcessBatches(Sampler[list[int]]):
    """The passes of one process in one epoch, from any update on.

    Attributes:
        epoch: Counted from 0.
        first: Update to begin with.
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


def picture_loader(squares: Squares, batches: ProcessBatches, workers: int, pin_memory: bool = False) -> DataLoader:
    """Pictures (B, 3, L, L) bytes, batch by batch as `batches` says.

    Args:
        squares: The training pictures.
        batches: Its `epoch` and `first` are read when an iteration begins.
        workers: Processes that decode; 0 decodes in this one.
        pin_memory: Whether batches lie where a GPU can fetch them by itself.
    """
    return DataLoader(
        squares,  # type: ignore[arg-type]  # a sequence is all the loader asks for
        batch_sampler=batches,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=pin_memory,
        collate_fn=_stack,
        generator=torch.Generator(),  # its own: an iterator must not draw from the run's numbers
    )


def _stack(pictures: list[Tensor]) -> Tensor:
    return torch.stack(pictures)
