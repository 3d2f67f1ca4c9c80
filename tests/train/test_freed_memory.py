"""Where a CPU computes, memory that was freed is used again, not asked for anew page by page."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from tests.places import REPOSITORY
from train.runtime.malloc import keep_freed_memory

STEPS = """
import resource, sys, torch
from train.runtime.malloc import keep_freed_memory

kept = sys.argv[1] == "keep" and keep_freed_memory(torch.device("cpu"))
for _ in range(10):
    torch.ones(2**24)  # 64 MB
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    torch.ones(2**24)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> tuple[bool, int]:
    done = subprocess.run(
        [sys.executable, "-c", STEPS, how], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    kept, count = done.stdout.split()
    return kept == "True", int(count)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's own way")
def test_pages_are_made_once() -> None:
    (given_back, many), (kept, few) = faults("give back"), faults("keep")
    if not kept:
        pytest.skip("another C library")
    assert not given_back and few < many / 10


def test_where_a_gpu_computes_nothing_is_changed() -> None:
    assert not keep_freed_memory(torch.device("cuda"))
