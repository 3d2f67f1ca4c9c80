"""Freed memory is kept for the next step, where a CPU computes."""

from __future__ import annotations

import ctypes
import sys

import torch

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # as in glibc's malloc.h


def keep_freed_memory(device: torch.device) -> bool:
    """Has glibc keep what this process frees, if `device` is a CPU; whether it does.

    By itself it gives every large array back to the system at once, and each page of the next one is made anew, zeroed,
    when it is first written to: half of a training step of DenseNet121. The process then holds what it needed at most,
    about a tenth more than without. Not on Windows and macOS, nor with another C library.
    """
    if device.type != "cpu" or not sys.platform.startswith("linux"):
        return False
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # e.g. musl
        return False
    return bool(set_option(M_MMAP_MAX, 0)) and bool(set_option(M_TRIM_THRESHOLD, -1))
