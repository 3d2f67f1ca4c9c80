"""Child processes of a comparison, forked from a server that has imported torch already."""

from __future__ import annotations

import signal
from pathlib import Path

from training_worlds import World, wait_until


def run_cell(task: str) -> None:
    """Equivalent of `python -m train.comparison.cell_run TASK`."""
    from train.comparison.cell_run import main
    from train.runtime import console

    console.run(lambda _: main([task]))


class ForkedCell:
    """Child process of one training; with `killed`, ended by SIGKILL at its first checkpoint."""

    def __init__(self, task: Path, log: Path, *, killed: bool = False) -> None:
        self.world = World(run_cell, str(task), output=log)
        if killed:
            checkpoints = task.with_suffix("") / "checkpoints"
            wait_until(lambda: any(checkpoints.glob("0*")), self.world)
            self.world.kill()

    def wait(self) -> int:
        return self.world.statuses()[0] or 0

    def terminate(self) -> None:
        self.world.signal(signal.SIGTERM)
