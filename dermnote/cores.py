"""Processor cores available to this process."""

from __future__ import annotations

import os


def available_cores() -> int:
    """Return the cores this process may use, at least 1; fewer than the machine has in a container or a job.

    Processes that a launcher started on one machine share its cores evenly.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
