"""The part of a run in which a language model writes: plan, replies that are there, consent, requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dermnote.notes.faults import Usage
from train.cases import Cases
from train.writing.asking import Asker, settle_from_cache
from train.writing.budget import Budget
from train.writing.checking import Checker
from train.writing.consent import get_consent
from train.writing.decisions import Decisions, Job
from train.writing.failures import Failures
from train.writing.journal import Journal
from train.writing.outlook import look_ahead
from train.writing.plan import Plan, make_plan, refuse_other_models, split_twins
from train.writing.recorder import Recorder
from train.writing.replies import ReplyCache
from train.writing.setup import Setup
from train.writing.stopping import Stop
from train.writing.tally import Tally

if TYPE_CHECKING:
    from dermnote.notes.writer import NoteWriter


@dataclass
class Outcome:
    """What asking came to.

    Attributes:
        usage: What this run used.
        spent: USD; 0 if the price is unknown.
        seconds: From the first request to the last reply.
        left: Notes that were not asked for because the run was stopped.
        stop: Why it was; None if it ran to its end.
    """

    usage: Usage = field(default_factory=Usage)
    spent: float = 0.0
    seconds: float = 0.0
    left: int = 0
    stop: Stop | None = None


def plan_run(
    setup: Setup, cases: Cases, journal: Journal, cache: ReplyCache, tallies: dict[str, Tally]
) -> tuple[Plan, Decisions]:
    """What has to be asked, and what decides it.

    Raises:
        NotesError: Another model's notes would be replaced, or no case has metadata.
    """
    checker = Checker(setup.vocabulary)
    decisions = Decisions(cases, journal, cache, checker, setup.options.on_contradiction)
    plan = make_plan(cases, journal, decisions, setup.askings, tallies)
    if setup.writer and not setup.options.replace:
        refuse_other_models(plan, journal, setup.writer.model)
    return plan, decisions


def write_asked(setup: Setup, cases: Cases, journal: Journal, failures: Failures, tallies: dict[str, Tally]) -> Outcome:
    """Brings the notes of every strategy that asks a language model up to date.

    Raises:
        NotesError: See `plan_run`; or nothing may be sent.
    """
    with ReplyCache(setup.cache) as cache:
        plan, decisions = plan_run(setup, cases, journal, cache, tallies)
        recorder = Recorder(journal, failures, tallies, setup.options.on_contradiction)
        waiting = settle_from_cache(plan.jobs, decisions, recorder)
        if not waiting or setup.writer is None:
            return Outcome()
        firsts, twins = split_twins(waiting)
        outlook = look_ahead(firsts, cases, decisions, setup.price, batch=setup.options.batch)
        get_consent(setup.writer, outlook, yes=setup.options.yes)
        budget = Budget(setup.options.max_usd, setup.price, batch=setup.options.batch)
        asker = Asker(setup.writer, cases, decisions, cache, recorder, budget, setup.options.concurrency)
        started = time.monotonic()
        asyncio.run(_ask(setup.writer, asker, (firsts, twins)))
        return Outcome(asker.usage, budget.spent, time.monotonic() - started, asker.left, asker.stop)


async def _ask(writer: NoteWriter, asker: Asker, rounds: Sequence[Sequence[Job]]) -> None:
    try:
        for jobs in rounds:
            await asker.run(jobs)
    finally:
        await writer.aclose()
