"""The trainings of a comparison, forked from a server that has imported everything once."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.training_worlds import World, wait_until


def run_child(job: str) -> None:
    """As `python -m train.comparison.child` does."""
    from train.comparison.child import main
    from train.runtime import console

    console.run(lambda _: main([job]))


class Forked:
    """The child, forked from a server that has imported torch already; killed at its first checkpoint if asked to."""

    def __init__(self, job: Path, log: Path, *, killed: bool = False) -> None:
        self.world = World(run_child, str(job), output=log)
        if killed:
            checkpoints = job.with_suffix("") / "checkpoints"
            wait_until(lambda: any(checkpoints.glob("0*")), self.world)
            self.world.kill()

    def wait(self) -> int:
        return self.world.statuses()[0] or 0

    def terminate(self) -> None:
        self.world.signal(signal.SIGTERM)
