"""Runs the trainings of a comparison one after another, each in its own process; finished runs are kept."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from dermnote.storage import replacing_file

from ..runtime.console import StopError
from ..training.train_config import TrainConfig

MARK = "cell.json"  # inputs and settings of a run, and whether it is finished
TABLE, FACTS = "per_case.parquet", "per_case.json"  # see `train.comparison.cell_run`
NO_EFFECT = ("num_workers", "cache_gb", "checkpoint_minutes")  # settings that change no result
OVERHEAD = 15.0  # seconds per process outside training: imports, reading, evaluation
SIGNALS = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))


@dataclass(frozen=True)
class Job:
    """One training with its evaluation."""

    name: str  # of its cell
    folder: Path  # of the run, `.../seed-N`
    config: TrainConfig
    cases: str  # folder to train on
    notes: str | None  # to train on; None for images alone
    tested: str  # cases folder to test on
    queries: Mapping[str, Mapping[str, str]]  # by set of query notes, its file ("notes") and "strategy"
    inputs: Mapping[str, str]  # digests; a finished run with other ones is refused
    cost: float  # see `train.comparison.plan.training_cost`
    evaluate: bool = True  # whether to run `train.evaluate` too

    @property
    def title(self) -> str:
        """Name in messages."""
        return f"{self.name} seed {self.config.seed}"

    def made_from(self) -> dict[str, Any]:
        """Return the inputs and settings that a finished run must have to belong to this job."""
        settings = json.loads(json.dumps(asdict(self.config)))
        settings = {key: value for key, value in settings.items() if key not in NO_EFFECT}
        return {"settings": settings, **self.inputs, "queries": sorted(self.queries)}


class State(NamedTuple):
    """State of a job's folder."""

    finished: bool = False  # complete, and of this very job
    differs: str = ""  # names of the inputs and settings in which the run found differs
    seconds: float = 0.0  # spent on it, earlier attempts included


def state_of(job: Job) -> State:
    """Return the state of a job's folder."""
    try:
        mark = json.loads((job.folder / MARK).read_text(encoding="utf-8"))
        found, wanted = mark["made_from"], job.made_from()
        settings = found.get("settings", {})
    except (OSError, ValueError, KeyError, TypeError):
        return State()
    differs = [key for key in wanted if key != "settings" and found.get(key) != wanted[key]]
    differs += [key for key, value in wanted["settings"].items() if settings.get(key) != value]
    finished = bool(mark.get("finished")) and _has_results(job) and not differs
    return State(finished, ", ".join(differs), float(mark.get("seconds", 0.0)))


def expected_seconds(jobs: Sequence[Job], finished: Sequence[tuple[Job, State]], pictures_per_second: float) -> float:
    """Estimate the time of jobs from finished ones, else from the assumed training speed."""
    if cost := sum(job.cost for job, _ in finished):
        return sum(state.seconds for _, state in finished) / cost * sum(job.cost for job in jobs)
    return sum(job.cost / pictures_per_second + OVERHEAD for job in jobs)


def run_jobs(
    jobs: Sequence[Job],
    describe: Callable[[Job], str],
    *,
    pictures_per_second: float,
    device: str | None = None,
    bootstrap: int = 1000,
) -> dict[str, str]:
    """Run the jobs that are not finished, print one line for each, and return the failures by job title.

    Args:
        jobs: In order.
        describe: Returns the main figures of a finished job.
        pictures_per_second: Training speed assumed until a job has been timed.
        device: Where to compute; None uses a GPU if there is one.
        bootstrap: Draws for the intervals of `train.evaluate`.

    Raises:
        StopError: A signal was received; the training under way has saved its state.
    """
    failures, states = {}, {job.title: state_of(job) for job in jobs}
    for number, job in enumerate(jobs, start=1):
        status, failure, differs = "was finished", "", states[job.title].differs
        if not states[job.title].finished:
            status = "finished"
            if differs:
                failure = f"{job.folder} was made with different {differs}: remove it, or change --out"
            else:
                failure = _run(job, device, bootstrap)
            states[job.title] = state_of(job)
        if failure:
            status, failures[job.title] = "failed", failure
        finished = [(each, states[each.title]) for each in jobs if states[each.title].finished]
        left = [each for each in jobs[number:] if not states[each.title].finished]
        rest = f"; about {expected_seconds(left, finished, pictures_per_second) / 60:.0f} min left" if left else ""
        result = failure or f"{describe(job)}; {states[job.title].seconds / 60:.1f} min"
        print(f"[{number}/{len(jobs)}] {job.title} {status}: {result}{rest}")
    return failures


def _run(job: Job, device: str | None, bootstrap: int) -> str:
    """Train and evaluate in a child process, from the last checkpoint if there is one; return the failure or ""."""
    job.folder.mkdir(parents=True, exist_ok=True)
    config, task, log = (job.folder.with_name(f"{job.folder.name}.{kind}") for kind in ("yaml", "json", "log"))
    values = {name: getattr(job, name) for name in ("cases", "notes", "tested", "queries", "evaluate")}
    values |= {"run": str(job.folder), "config": str(config), "bootstrap": bootstrap, "device": device}
    _write(config, job.config.to_yaml())
    _write(task, json.dumps(values, indent=1) + "\n")
    spent = state_of(job).seconds
    _write_mark(job, spent, finished=False)
    started = time.monotonic()
    child = start(task, log)
    with forwarding_signals(child) as received:
        status = child.wait()
    finished = status == 0 and _has_results(job)
    _write_mark(job, spent + time.monotonic() - started, finished=finished)
    if finished:
        return ""
    if received:
        stopped = f"Stopped at {job.title}; its state is saved."
        raise StopError(stopped, "Run the same command again to resume.", 130 if signal.SIGINT in received else 0)
    return f"{_reason(status, log)} (see {log})"


def start(task: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start `cell_run` on a task file, in its own session: Ctrl-C reaches it only through this process.

    Args:
        task: JSON file written by `run_jobs`.
        log: Receives its output.
    """
    command = [sys.executable, "-m", f"{__package__}.cell_run", str(task)]
    with log.open("a", encoding="utf-8") as stream:
        return subprocess.Popen(command, stdout=stream, stderr=stream, start_new_session=True)  # noqa: S603


@contextmanager
def forwarding_signals(child: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """Forward signals to stop as SIGTERM to the child, which saves its state; yields the signals received."""
    received: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        received.append(number)
        child.terminate()

    handlers = {}
    for number in SIGNALS:
        try:
            handlers[number] = signal.signal(number, forward)
        except ValueError:  # signals can only be handled in the main thread
            break
    try:
        yield received
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _has_results(job: Job) -> bool:
    return all((job.folder / name).is_file() for name in (TABLE, FACTS))


def _write_mark(job: Job, seconds: float, *, finished: bool) -> None:
    mark = {"finished": finished, "seconds": round(seconds, 1), "made_from": job.made_from()}
    _write(job.folder / MARK, json.dumps(mark, indent=1) + "\n")


def _write(path: Path, text: str) -> None:
    with replacing_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _reason(status: int, log: Path) -> str:
    if status < 0:
        return f"its process was ended by signal {-status}"
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error:")]
    return (errors or lines or [f"exit status {status}"])[-1].removeprefix("error: ")
