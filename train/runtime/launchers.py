"""How a process knows what started it: launchers leave names in its environment."""

from __future__ import annotations

import os


def by_accelerate() -> bool:
    """Whether `accelerate launch` started this process."""
    return "ACCELERATE_MIXED_PRECISION" in os.environ


def by_torchrun() -> bool:
    """Whether torchrun did, or a launcher that is built on it."""
    return "TORCHELASTIC_RUN_ID" in os.environ
