"""Process environment: cache directory, launcher, memory allocator, and threads."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from dermnote.cores import available_cores

ENVIRONMENT = "DERMNOTE_CACHE"
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # as in glibc's malloc.h


def cache_folder(kind: str) -> Path:
    """Return the cache directory for one kind of data, below DERMNOTE_CACHE or ~/.cache/dermnote. It may not exist."""
    return Path(os.environ.get(ENVIRONMENT) or "~/.cache/dermnote").expanduser() / kind


def started_by_accelerate() -> bool:
    """Return whether `accelerate launch` started this process."""
    return "ACCELERATE_MIXED_PRECISION" in os.environ


def started_by_torchrun() -> bool:
    """Return whether torchrun, or a launcher built on it, started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def keep_freed_memory(device_type: str) -> bool:
    """Make glibc keep freed memory if computing on the CPU, and return whether it does.

    By default glibc returns each large array to the system at once, and every page of the next one causes a page fault:
    half of the time of a training step of DenseNet121. The process then stays at its peak memory, which is about a
    tenth higher. Does nothing on Windows and macOS, and with another C library.
    """
    if device_type != "cpu" or not sys.platform.startswith("linux"):
        return False
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # e.g. musl
        return False
    return bool(set_option(M_MMAP_MAX, 0)) and bool(set_option(M_TRIM_THRESHOLD, -1))


def use_all_cores() -> None:
    """Let the only process of an `accelerate launch` use all available cores; leave any other process as it is.

    The launcher gives such a process one thread (OMP_NUM_THREADS=1) on a CPU of any size. To use fewer cores:
    `accelerate launch --num_cpu_threads_per_process N` with N of 2 or more, or `taskset`.
    """
    import torch
    from threadpoolctl import threadpool_limits

    single_process = os.environ.get("WORLD_SIZE", "1") == "1"
    if single_process and started_by_accelerate() and os.environ.get("OMP_NUM_THREADS") == "1":
        cores = available_cores()
        os.environ["OMP_NUM_THREADS"] = str(cores)  # for libraries loaded later
        torch.set_num_threads(cores)
        threadpool_limits(cores, "blas")
