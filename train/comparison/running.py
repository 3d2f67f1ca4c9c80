"""Runs the trainings of a comparison one after another, each in a process of its own; what is finished stays."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dermnote.storage import replacing_file

from ..runtime.console import StopError
from ..training.train_config import TrainConfig
from .layout import FACTS, MARK, TABLE
from .process import passing_on, start

IDLE = ("num_workers", "cache_gb", "checkpoint_minutes")  # settings that change no result
STARTING = 15.0  # seconds of a process that are no training: imports, reading, measuring


@dataclass(frozen=True)
class Job:
    """One training with its measurements.

    Attributes:
        name: Of its cell.
        folder: Of its run, `.../seed-N`.
        config: Training settings.
        cases: Cases folder to train on.
        notes: Notes to train on; None for pictures alone.
        measured: Cases folder to measure on.
        queries: Sets of notes to search with (see `train.comparison.per_case`).
        marks: Digests of what it reads; with other ones a finished run does not fit.
        cost: See `train.comparison.cells.pictures_of`.
        same_cases: See `train.comparison.per_case.write_per_case`.
        evaluate: Whether `train.evaluate` writes its report too.
    """

    name: str
    folder: Path
    config: TrainConfig
    cases: str
    notes: str | None
    measured: str
    queries: Mapping[str, Mapping[str, str]]
    marks: Mapping[str, str]
    cost: float
    same_cases: bool = False
    evaluate: bool = True

    @property
    def title(self) -> str:
        """For a line of progress."""
        return f"{self.name} seed {self.config.seed}"

    def mark(self) -> dict[str, Any]:
        """What a finished run must have been made from to be this one's."""
        settings = json.loads(json.dumps(asdict(self.config)))
        settings = {key: value for key, value in settings.items() if key not in IDLE}
        return {"settings": settings, **self.marks, "queries": sorted(self.queries)}


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        job: Which.
        status: "finished", "was finished" or "failed".
        reason: Of a failure, one line.
        seconds: It took, whenever it was run.
    """

    job: Job
    status: str
    reason: str = ""
    seconds: float = 0.0


@dataclass
class Clock:
    """How long the rest will take, by what was timed so far."""

    pictures_per_second: float
    seconds: float = field(default=0.0, init=False)
    cost: float = field(default=0.0, init=False)

    def add(self, cost: float, seconds: float) -> None:
        """Takes a training that was timed."""
        self.seconds, self.cost = self.seconds + seconds, self.cost + cost

    def expect(self, jobs: Sequence[Job]) -> float:
        """Seconds these jobs will take."""
        if self.cost:
            return self.seconds / self.cost * sum(job.cost for job in jobs)
        return sum(job.cost / self.pictures_per_second + STARTING for job in jobs)


def finished(job: Job) -> tuple[bool, str, float]:
    """Whether a job's run is done; what of it does not fit if another stands in its folder; and its seconds."""
    try:
        mark = json.loads((job.folder / MARK).read_text(encoding="utf-8"))
        there, asked = mark["made_from"], job.mark()
    except (OSError, ValueError, KeyError, TypeError):
        return False, "", 0.0
    other = [key for key in asked if key != "settings" and there.get(key) != asked[key]]
    before = there.get("settings", {})
    other += [key for key, value in asked["settings"].items() if before.get(key) != value]
    whole = all((job.folder / name).is_file() for name in (TABLE, FACTS))
    return bool(mark.get("finished")) and whole and not other, ", ".join(other), float(mark.get("seconds", 0.0))


def run_jobs(
    jobs: Sequence[Job],
    clock: Clock,
    told: Callable[[Job], str],
    *,
    device: str | None = None,
    bootstrap: int = 1000,
    say: Callable[[str], object] = print,
) -> list[Outcome]:
    """Runs what is not finished; one that fails is told, and the others go on.

    Args:
        jobs: In order.
        clock: Told of every training that is timed.
        told: The main figures of a finished job, for its line.
        device: Where to compute; None takes a GPU if there is one.
        bootstrap: Draws for the intervals of `train.evaluate`.
        say: Takes one line for each job.

    Raises:
        StopError: Somebody asked for an end; the training under way is written down.
    """
    outcomes = []
    for job in jobs:
        done, _, seconds = finished(job)
        if done:
            clock.add(job.cost, seconds)
    for number, job in enumerate(jobs, start=1):
        done, other, seconds = finished(job)
        if done:
            outcome = Outcome(job, "was finished", seconds=seconds)
        elif other:
            outcome = Outcome(job, "failed", f"{job.folder} was made with another {other}: remove it, or change --out")
        else:
            outcome = _run(job, device, bootstrap)
            if outcome.status == "finished":
                clock.add(job.cost, outcome.seconds)
        outcomes.append(outcome)
        left = [each for each in jobs[number:] if not finished(each)[0]]
        rest = f"; about {clock.expect(left) / 60:.0f} min left" if left else ""
        words = outcome.reason if outcome.status == "failed" else f"{told(job)}; {outcome.seconds / 60:.1f} min"
        say(f"[{number}/{len(jobs)}] {job.title} {outcome.status}: {words}{rest}")
    return outcomes


def _run(job: Job, device: str | None, bootstrap: int) -> Outcome:
    """One job in its process, from the start or from its last checkpoint."""
    job.folder.mkdir(parents=True, exist_ok=True)
    beside = {kind: job.folder.with_name(f"{job.folder.name}.{kind}") for kind in ("yaml", "json", "log")}
    with replacing_file(beside["yaml"]) as aside:
        aside.write_text(job.config.to_yaml(), encoding="utf-8")
    given = {
        "run": str(job.folder),
        "config": str(beside["yaml"]),
        "cases": job.cases,
        "notes": job.notes,
        "measured": job.measured,
        "queries": job.queries,
        "same_cases": job.same_cases,
        "evaluate": job.evaluate,
        "bootstrap": bootstrap,
        "device": device,
    }
    with replacing_file(beside["json"]) as aside:
        aside.write_text(json.dumps(given, indent=1) + "\n", encoding="utf-8")
    before = _spent(job)
    _write_mark(job, before, done=False)
    started = time.monotonic()
    child = start(beside["json"], beside["log"])
    with passing_on(child) as asked:
        status = child.wait()
    seconds = before + time.monotonic() - started
    whole = status == 0 and all((job.folder / name).is_file() for name in (TABLE, FACTS))
    _write_mark(job, seconds, done=whole)
    if whole:
        return Outcome(job, "finished", seconds=seconds)
    if asked:
        stop = 0 if signal.SIGINT not in asked else 130
        raise StopError(f"Stopped at {job.title}; its state is written down.", "Run the same command to go on.", stop)
    return Outcome(job, "failed", f"{_why(status, beside['log'])} (see {beside['log']})", seconds)


def _spent(job: Job) -> float:
    """Seconds that earlier, interrupted tries took."""
    return finished(job)[2]


def _write_mark(job: Job, seconds: float, *, done: bool) -> None:
    mark = {"finished": done, "seconds": round(seconds, 1), "made_from": job.mark()}
    with replacing_file(job.folder / MARK) as aside:
        aside.write_text(json.dumps(mark, indent=1) + "\n", encoding="utf-8")


def _why(status: int, log: Path) -> str:
    if status < 0:
        return f"its process was ended by signal {-status}"
    said = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error:")]
    return (errors or lines or [f"exit status {status}"])[-1].removeprefix("error: ")
