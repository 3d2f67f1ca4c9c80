"""Threads of a process that the launcher started alone."""

from __future__ import annotations

import os

import torch
from threadpoolctl import threadpool_limits

from dermnote.cores import available_cores

from .launchers import by_accelerate


def take_all_cores() -> None:
    """Lets the only process of an `accelerate launch` compute on all cores it has; leaves any other as it is.

    By itself the launcher gives such a process one thread (OMP_NUM_THREADS=1), on a CPU of any size. For fewer than
    all: `accelerate launch --num_cpu_threads_per_process N` with N of 2 or more, or `taskset`.
    """
    alone = os.environ.get("WORLD_SIZE", "1") == "1"
    if alone and by_accelerate() and os.environ.get("OMP_NUM_THREADS") == "1":
        cores = available_cores()
        os.environ["OMP_NUM_THREADS"] = str(cores)  # for what is loaded later
        torch.set_num_threads(cores)
        threadpool_limits(cores, "blas")
