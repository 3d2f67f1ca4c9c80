"""Garbage collection of a step: off while it imports, on while it runs."""

from __future__ import annotations

import subprocess
import sys

from tests.places import REPOSITORY

STEP = """
import gc, sys
sys.argv[0] = "-m"  # as set by Python while it imports the module
from train.runtime.console import run

imported = gc.isenabled()
run(lambda argv: print(imported, gc.isenabled(), gc.get_freeze_count() > 1000) or 0)
"""


def output_of(*command: str) -> str:
    done = subprocess.run([sys.executable, *command], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_step_collects_garbage_after_its_imports() -> None:
    assert output_of("-c", STEP) == "False True True"


def test_importing_the_package_changes_no_setting() -> None:
    assert output_of("-c", "import gc, train; print(gc.isenabled())") == "True"
