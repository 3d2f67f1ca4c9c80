"""What a run would send, without sending or writing anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from dermnote.errors import PictureError
from dermnote.llm.note_writer import NoteWriter

from ..runtime.console import print_summary
from .cost_estimate import look_ahead
from .decisions import Decisions, Job
from .image_payloads import sent_picture
from .journal import Journal
from .llm_run import plan_run
from .note_plan import split_twins
from .records import Records
from .reply_cache import ReplyCache
from .run_counts import Tally
from .setup import Setup


def show(setup: Setup, cases: Records) -> None:
    """Prints how many notes stand, what would be asked and what it would cost, and one request as a whole."""
    if setup.writer is None:
        print("None of these strategies asks a language model: nothing would be sent.")
        return
    journal = Journal.peek(setup.options.out)
    tallies = {asking.strategy.name: Tally() for asking in setup.askings}
    with ReplyCache(setup.cache, read_only=True) as cache:
        plan, decisions = plan_run(setup, cases, journal, cache, tallies)
        decided = [(job, decisions.decide(job).ask) for job in plan.jobs]
        waiting, _ = split_twins([job for job, ask in decided if ask is not None])
        outlook = look_ahead(waiting, cases, decisions, setup.price, batch=setup.options.batch)
        example = _example(setup.writer, cases, decisions, waiting)
    rows: dict[str, object] = {
        "cases": len(cases),
        "notes that stand": sum(tally.kept for tally in tallies.values()),
        "replies in the cache": sum(ask is None for _, ask in decided),
        "requests": f"{len(waiting):,}",
    }
    print_summary(f"Dry run: {setup.writer.model} at {setup.writer.host}", rows | (outlook.rows() if waiting else {}))
    if example is not None:
        print("\nThe first request:")
        print(json.dumps(example, indent=2, ensure_ascii=False))
    print("\nNothing was sent, nothing was written.")


def _example(writer: NoteWriter, cases: Records, decisions: Decisions, jobs: Sequence[Job]) -> dict[str, Any] | None:
    """The body of the first request that can be sent, its picture cut short; None if there is none."""
    for job in jobs:
        request = decisions.request(job.row, job.asking, cases.metadata(job.row))
        with suppress(PictureError):  # it will be one of the failures
            shown: dict[str, Any] = _shortened(writer.body(request, sent_picture(job, cases)))
            return shown
    return None


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shortened(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_shortened(each) for each in value]
    if isinstance(value, str) and value.startswith("data:image/"):
        return f"{value[:40]}... ({len(value):,} characters)"
    return value
