"""Whether the world is what was asked for, before anything is trained in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from dermnote.errors import ConfigError

from ..runtime.launchers import by_accelerate


def check_world(processes: int) -> None:
    """Refuses to train in one process when several were asked for.

    `accelerate launch --num_processes N` starts a single process on a machine without a GPU, and says nothing. Then it
    names a meeting place for several (MASTER_ADDR) and no number of this one (RANK), which no other launcher does.

    Args:
        processes: Processes that found each other.

    Raises:
        ConfigError: There is one, and more were asked for.
    """
    alone = processes == 1 and "WORLD_SIZE" not in os.environ
    if alone and "MASTER_ADDR" in os.environ and by_accelerate():
        raise ConfigError(
            "accelerate launch was asked for several processes and started one: without GPUs it always does.",
            "Leave --num_processes out, or: ACCELERATE_USE_CPU=true torchrun --nproc_per_node 2 -m train.fit ...",
        )


@contextmanager
def run_folder_lock(folder: Path) -> Iterator[None]:
    """Keeps other runs out of a folder: one that lost its launcher may still be writing there.

    Raises:
        ConfigError: Another process trains there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise ConfigError(
            f"Another process is training in {folder}.", "Wait for it, or choose another --out."
        ) from error
    try:
        yield
    finally:
        lock.release()
