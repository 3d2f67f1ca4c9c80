"""A step as a program: it starts without looking for garbage among its imports, and looks for it while it runs."""

from __future__ import annotations

import subprocess
import sys

from tests.places import REPOSITORY

STEP = """
import gc, sys
sys.argv[0] = "-m"  # as Python has it while it looks for the module
from train.runtime.console import run

imported = gc.isenabled()
run(lambda argv: print(imported, gc.isenabled(), gc.get_freeze_count() > 1000) or 0)
"""


def said(*command: str) -> str:
    done = subprocess.run([sys.executable, *command], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_what_a_step_imports_is_not_looked_through_and_the_rest_is() -> None:
    assert said("-c", STEP) == "False True True"


def test_who_imports_the_package_keeps_his_settings() -> None:
    assert said("-c", "import gc, train; print(gc.isenabled())") == "True"
