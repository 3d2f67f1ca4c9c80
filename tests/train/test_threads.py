"""A run that `accelerate launch` starts on a CPU takes all its cores; a number somebody chose stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dermnote.cores import available_cores
from tests.places import REPOSITORY
from train.runtime.threads import take_all_cores

LAUNCH = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "-q"]
PROBE = """
import torch
from train.runtime.threads import take_all_cores

before = torch.get_num_threads()
take_all_cores()
print(before, torch.get_num_threads())
"""


def threads(command: list[str], tmp_path: Path, **environment: str) -> list[int]:
    """Of a process before and after."""
    probe = tmp_path / "probe.py"
    probe.write_text(PROBE)
    inherited = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    surroundings = {**inherited, "PYTHONPATH": str(REPOSITORY), **environment}
    done = subprocess.run([*command, str(probe)], env=surroundings, capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


@pytest.mark.skipif(available_cores() == 1, reason="one core is all there is")
def test_the_launchers_one_thread_becomes_all_cores(tmp_path: Path) -> None:
    assert threads(LAUNCH, tmp_path) == [1, available_cores()]


def test_one_thread_that_was_asked_for_stays(tmp_path: Path) -> None:
    assert threads([sys.executable], tmp_path, OMP_NUM_THREADS="1") == [1, 1]


@pytest.mark.parametrize(("chosen", "processes"), [("3", "1"), ("1", "2")])
def test_what_was_chosen_and_processes_together_stay(
    monkeypatch: pytest.MonkeyPatch, chosen: str, processes: str
) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    monkeypatch.setenv("OMP_NUM_THREADS", chosen)
    monkeypatch.setenv("WORLD_SIZE", processes)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: pytest.fail(f"{count} threads"))
    take_all_cores()
    assert os.environ["OMP_NUM_THREADS"] == chosen
