"""Memory allocator, threads, and garbage collection of a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dermnote.cores import available_cores
from tests.places import REPOSITORY
from train.runtime.environment import keep_freed_memory, use_all_cores

LAUNCH = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "-q"]
THREADS = """
import torch
from train.runtime.environment import use_all_cores

before = torch.get_num_threads()
use_all_cores()
print(before, torch.get_num_threads())
"""
PAGE_FAULTS = """
import resource, sys, torch
from train.runtime.environment import keep_freed_memory

kept = sys.argv[1] == "keep" and keep_freed_memory("cpu")
for _ in range(10):
    torch.ones(2**24)  # 64 MB
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    torch.ones(2**24)
print(int(kept), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


COLLECTION = """
import gc, sys
sys.argv[0] = "-m"  # as set by Python while it imports the module
from train.runtime.console import run

imported = gc.isenabled()
run(lambda argv: print(int(imported), int(gc.isenabled()), int(gc.get_freeze_count() > 1000)) or 0)
"""


def numbers(code: str, tmp_path: Path, *words: str, launcher: tuple[str, ...] = (), **environment: str) -> list[int]:
    """Run code as a script; return the numbers it prints."""
    script = tmp_path / "script.py"
    script.write_text(code)
    inherited = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    command = [*(launcher or (sys.executable,)), str(script), *words]
    env = {**inherited, "PYTHONPATH": str(REPOSITORY), **environment}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


@pytest.mark.slow
@pytest.mark.skipif(available_cores() == 1, reason="there is one core only")
def test_a_process_of_accelerate_launch_uses_all_cores(tmp_path: Path) -> None:
    assert numbers(THREADS, tmp_path, launcher=tuple(LAUNCH)) == [1, available_cores()]
    assert numbers(THREADS, tmp_path, OMP_NUM_THREADS="1") == [1, 1]  # no launcher: the user's choice stays


@pytest.mark.parametrize(("threads", "processes"), [("3", "1"), ("1", "2")])
def test_a_chosen_number_of_threads_and_several_processes_stay(
    monkeypatch: pytest.MonkeyPatch, threads: str, processes: str
) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    monkeypatch.setenv("WORLD_SIZE", processes)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: pytest.fail(f"{count} threads"))
    use_all_cores()
    assert os.environ["OMP_NUM_THREADS"] == threads


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="an option of glibc")
def test_freed_memory_is_reused_without_page_faults(tmp_path: Path) -> None:
    (_, many), (kept, few) = (numbers(PAGE_FAULTS, tmp_path, word) for word in ("return", "keep"))
    if not kept:
        pytest.skip("another C library")
    assert few < many / 10


def test_memory_is_not_kept_beside_a_gpu() -> None:
    assert not keep_freed_memory("cuda")


def test_garbage_is_collected_after_the_imports_of_a_step(tmp_path: Path) -> None:
    assert numbers(COLLECTION, tmp_path) == [0, 1, 1]
    assert numbers("import gc, train; print(int(gc.isenabled()))", tmp_path) == [1]  # the package changes no setting
