"""Estimated requests and costs of a run, shown before consent is asked for and in a dry run."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dermnote.errors import NotesError, PictureError
from dermnote.llm.chat_request import LONGEST_SIDE
from dermnote.llm.llm_errors import NoKeyError, Usage
from dermnote.notes.note_request import RequestBuilder

from ..runtime.console import print_summary
from .journal import Journal
from .note_run import Job, NoteRun, Records
from .reply_cache import ReplyCache
from .run_settings import RunSettings

SAMPLE = 200  # requests from which the tokens of all are estimated
STORED = "The images of a batch are stored at the server until it is collected."


@dataclass(frozen=True)
class CostEstimate:
    """Estimate of the requests of some jobs.

    Attributes:
        jobs: Jobs with different requests.
        usual: Expected tokens.
        worst: Upper bound of the tokens.
        settings: Command line, with the price.
    """

    jobs: Sequence[Job]
    usual: Usage
    worst: Usage
    settings: RunSettings

    @classmethod
    def of(cls, run: NoteRun, jobs: Sequence[Job]) -> CostEstimate:
        """Estimate from an evenly spaced sample."""
        sample = jobs[:: -(-len(jobs) // SAMPLE)] if jobs else []
        found = []
        for job in sample:
            with suppress(PictureError):  # it becomes a failure
                found.append(run.estimate(job, run.request(job)))
        usual = _scale([each.usual for each in found], len(jobs))
        return cls(jobs, usual, _scale([each.worst for each in found], len(jobs)), run.settings)

    def rows(self) -> dict[str, str]:
        """Return titles and values: requests by strategy with what is sent, image, tokens, cost."""
        counts = Counter(job.builder.strategy.name for job in self.jobs)
        builders = {job.builder.strategy.name: job.builder for job in self.jobs}
        rows = {name: f"{count:,} requests with {_sent(builders[name])}" for name, count in counts.items()}
        detail = next(iter(builders.values())).detail
        rows["image"] = f"JPEG of at most {LONGEST_SIDE} px, detail {detail}; no EXIF, no file name, no id"
        rows["tokens"] = f"about {_round(self.usual.prompt_tokens)} in and {_round(self.usual.completion_tokens)} out"
        return rows | {"cost": self._cost()}

    def _cost(self) -> str:
        price, batch = self.settings.price, self.settings.options.batch
        if price is None:
            return "unknown: the model is in no price table (see --prices)"
        usual, worst = (price.cost(each, batch=batch) for each in (self.usual, self.worst))
        return f"about {dollars(usual)}, at most {dollars(worst)}{' (batch price)' if batch else ''}"


def _scale(sample: Sequence[Usage], count: int) -> Usage:
    """Return the sum over `count` requests, given a sample of them."""
    factor, total = count / len(sample) if sample else 0.0, sum(sample, Usage())
    return Usage(round(total.prompt_tokens * factor), round(total.completion_tokens * factor), count)


def _round(count: int) -> str:
    """Return three significant digits."""
    return f"{float(f'{count:.3g}'):,.0f}"


def _sent(builder: RequestBuilder) -> str:
    image = "the image" if builder.strategy.uses_picture else "no image"
    fields = ", ".join(builder.record_fields)
    return f"{image} and of the record: {fields}" if fields else f"{image} and nothing of the record"


def dollars(amount: float) -> str:
    """Return an amount with two decimals, or four below 10 cents."""
    return f"${amount:,.2f}" if amount >= 0.1 or amount == 0 else f"${amount:.4f}"


def get_consent(run: NoteRun, jobs: Sequence[Job]) -> None:
    """Show what will be sent, and ask for consent unless the server runs on this machine or --yes is given.

    Raises:
        NotesError: Consent is refused, or there is no terminal.
        NoKeyError: No server is chosen and no key is set.
    """
    writer, options = run.writer, run.settings.options
    if not writer.is_set_up:
        raise NoKeyError("No language model is set up.", "Set OPENAI_API_KEY, or give --base-url.")
    if writer.is_local:
        return
    print_summary(f"To be sent to {writer.host}, for {writer.model}:", CostEstimate.of(run, jobs).rows())
    if options.batch:
        print(STORED)
    if options.yes:
        return
    if not is_terminal():
        raise NotesError(f"Nobody can be asked whether this may be sent to {writer.host}.", "Add --yes if it may.")
    try:
        answer = input("Send? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise NotesError("Nothing was sent.", "Add --limit or --dry-run to try things out.")


def is_terminal() -> bool:
    """Return whether a user can be asked."""
    return sys.stdin.isatty()


def show_dry_run(settings: RunSettings, cases: Records) -> None:
    """Print the number of notes and requests, the estimated cost, and one whole request; writes and sends nothing."""
    if settings.writer is None:
        print("None of these strategies asks a language model: nothing would be sent.")
        return
    run = NoteRun(settings, cases, Journal.peek(settings.options.out))
    with ReplyCache(settings.cache, read_only=True) as run.cache:
        jobs = run.plan()
        open_jobs = [job for job in jobs if run.decide(job).request is not None]
        pending, _ = split_duplicates(open_jobs)
        rows: dict[str, object] = {
            "cases": len(cases),
            "notes up to date": sum(tally.kept for tally in run.tallies.values()),
            "replies in the cache": len(jobs) - len(open_jobs),
            "requests": f"{len(pending):,}",
        }
        estimated = CostEstimate.of(run, pending).rows() if pending else {}
        example = _example(run, pending)
    print_summary(f"Dry run: {settings.writer.model} at {settings.writer.host}", rows | estimated)
    if example is not None:
        print("\nThe first request:")
        print(json.dumps(example, indent=2, ensure_ascii=False))
    print("\nNothing was sent, nothing was written.")


def split_duplicates(jobs: Sequence[Job]) -> tuple[list[Job], list[Job]]:
    """Return the jobs with different requests, and those whose request equals an earlier one's."""
    first: dict[str, Job] = {}
    duplicates = [job for job in jobs if first.setdefault(job.request, job) is not job]
    return list(first.values()), duplicates


def _example(run: NoteRun, jobs: Sequence[Job]) -> Any:
    """Return the body of the first request that can be sent, its image shortened; None if there is none."""
    for job in jobs:
        with suppress(PictureError):  # it becomes a failure
            return _shorten(run.writer.body(run.request(job), run.payload(job)))
    return None


def _shorten(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shorten(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_shorten(each) for each in value]
    if isinstance(value, str) and value.startswith("data:image/"):
        return f"{value[:40]}... ({len(value):,} characters)"
    return value
