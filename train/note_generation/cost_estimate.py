"""Estimated requests and costs of a run, shown before consent is asked for and in a dry run."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from dermnote.errors import ImageError, NotesError
from dermnote.llm.chat_request import LONGEST_SIDE
from dermnote.llm.llm_errors import NoKeyError, Usage
from dermnote.notes.note_request import RequestBuilder

from ..runtime.console import print_summary
from .journal import Journal, ReplyCache
from .note_run import Job, NoteRun, Records
from .run_settings import RunSettings

SAMPLE = 200  # requests from which the tokens of all are estimated
STORED = "The images of a batch are stored at the server until it is collected."


def estimate_rows(run: NoteRun, jobs: Sequence[Job]) -> dict[str, str]:
    """Return titles and values: requests by strategy with what is sent, image, tokens, cost.

    Tokens are estimated from an evenly spaced sample of the jobs.
    """
    estimates = []
    for job in jobs[:: -(-len(jobs) // SAMPLE)]:
        with suppress(ImageError):  # it becomes a failure
            estimates.append(run.estimate(job, run.request(job)))
    usual, worst = (_scale([getattr(each, name) for each in estimates], len(jobs)) for name in ("usual", "worst"))
    counts = Counter(job.builder.strategy.name for job in jobs)
    sent = {job.builder.strategy.name: _sent(job.builder) for job in jobs}
    rows = {name: f"{count:,} requests with {sent[name]}" for name, count in counts.items()}
    detail = run.settings.options.detail
    rows["image"] = f"JPEG of at most {LONGEST_SIDE} px, detail {detail}; no EXIF, no file name, no id"
    rows["tokens"] = f"about {_round(usual.prompt_tokens)} in and {_round(usual.completion_tokens)} out"
    price, batch = run.settings.price, run.settings.options.batch
    rows["cost"] = "unknown: the model is in no price table (see --prices)"
    if price is not None:
        least, most = (dollars(price.cost(each, batch=batch)) for each in (usual, worst))
        rows["cost"] = f"about {least}, at most {most}{' (batch price)' if batch else ''}"
    return rows


def _scale(sample: Sequence[Usage], count: int) -> Usage:
    """Return the sum over `count` requests, given a sample of them."""
    factor, total = count / len(sample) if sample else 0.0, sum(sample, Usage())
    return Usage(round(total.prompt_tokens * factor), round(total.completion_tokens * factor), count)


def _round(count: int) -> str:
    """Return three significant digits."""
    return f"{float(f'{count:.3g}'):,.0f}"


def _sent(builder: RequestBuilder) -> str:
    image = "the image" if builder.strategy.uses_image else "no image"
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
    print_summary(f"To be sent to {writer.host}, for {writer.model}:", estimate_rows(run, jobs))
    if options.batch:
        print(STORED)
    if options.yes:
        return
    if not is_terminal():
        raise NotesError(
            f"Sending to {writer.host} needs consent, and there is no terminal to ask.", "Add --yes to consent."
        )
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
        print("None of these strategies uses a language model: nothing would be sent.")
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
        estimated = estimate_rows(run, pending) if pending else {}
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
        with suppress(ImageError):  # it becomes a failure
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
