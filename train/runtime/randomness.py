"""Random numbers that follow from where a run stands, and from nothing that happened before.

Each use has a stream of its own for each (seed, epoch, step): a run that goes on after a stop, within an epoch too,
draws what it would have drawn, and no generator's state has to be saved. Draws are made for the whole world's batch and
cut, so two processes of 16 see what one of 32 sees.
"""

from __future__ import annotations

import numpy as np
import torch

ORDER, NOTES, VIEWS, MIXING, DROPOUT = range(5)  # streams


def seeded(seed: int, epoch: int, step: int = 0, stream: int = ORDER, process: int = 0) -> torch.Generator:
    """A CPU generator of its own for each (seed, epoch, step, stream, process)."""
    key = [seed % 2**32, epoch, step, stream, process]
    entropy = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(entropy >> np.uint64(1)))


def seed_dropout(seed: int, epoch: int, step: int, process: int) -> None:
    """Seeds torch's own generators, which dropout draws from: the one thing that differs between processes."""
    torch.manual_seed(seeded(seed, epoch, step, DROPOUT, process).initial_seed())
