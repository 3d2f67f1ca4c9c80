"""The part of a run in which a language model writes: plan, replies that are there, consent, requests."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dermnote.errors import NotesError
from dermnote.llm.budget import Budget
from dermnote.llm.llm_errors import Usage

from .audited_notes import Checker
from .batch_results import BatchResults
from .batch_state import BatchState
from .consent import get_consent
from .cost_estimate import look_ahead
from .decisions import Decisions, Job
from .failures import Failures
from .journal import Journal
from .llm_requests import Asker, settle_from_cache
from .note_plan import Plan, make_plan, refuse_other_models, split_twins
from .openai_batch import BatchRun
from .recorder import Recorder
from .records import Records
from .reply_cache import ReplyCache
from .run_context import Means
from .run_counts import Tally
from .setup import Setup
from .stop_signal import Stop

if TYPE_CHECKING:
    from dermnote.llm.note_writer import NoteWriter


@dataclass
class Outcome:
    """What asking came to.

    Attributes:
        usage: What this run used.
        spent: USD; 0 if the price is unknown.
        guessed: Requests of it whose tokens nobody told.
        seconds: That asking took, the start of the client included.
        left: Notes that were not asked for because the run was stopped.
        stop: Why it was; None if it ran to its end.
    """

    usage: Usage = field(default_factory=Usage)
    spent: float = 0.0
    guessed: int = 0
    seconds: float = 0.0
    left: int = 0
    stop: Stop | None = None


def plan_run(
    setup: Setup, cases: Records, journal: Journal, cache: ReplyCache, tallies: dict[str, Tally]
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


def write_asked(
    setup: Setup, writer: NoteWriter, cases: Records, journal: Journal, failures: Failures, tallies: dict[str, Tally]
) -> Outcome:
    """Brings the notes of every strategy that asks a language model up to date.

    Raises:
        NotesError: See `plan_run`; or nothing may be sent; or batches are under way.
    """
    options = setup.options
    with ReplyCache(setup.cache) as cache:
        plan, decisions = plan_run(setup, cases, journal, cache, tallies)
        state = BatchState(setup.batches, writer.host)
        if state.parts and not options.batch:
            hint = f"Add --batch to collect them, or remove {state.path} to give them up."
            raise NotesError(f"Batches for {options.out} are under way.", hint)
        budget = Budget(options.max_usd, setup.price, batch=options.batch)
        recorder = Recorder(journal, failures, tallies, options.on_contradiction)
        means = Means(writer, cases, decisions, cache, recorder, budget)
        firsts, twins = split_twins(settle_from_cache(plan.jobs, decisions, recorder))
        if firsts and not state.parts:
            outlook = look_ahead(firsts, cases, decisions, setup.price, batch=options.batch)
            get_consent(writer, outlook, yes=options.yes)
        if options.batch:
            return asyncio.run(_by_batch(means, state, firsts, twins))
        return asyncio.run(_one_by_one(means, options.concurrency, firsts, twins))


async def _one_by_one(means: Means, concurrency: int, firsts: list[Job], twins: list[Job]) -> Outcome:
    """Twins come second: by then the reply to their first is in the cache."""
    started, asker = time.monotonic(), Asker(means, concurrency)
    try:
        await asker.run(firsts)
        await asker.run(twins)
    finally:
        await means.writer.aclose()
    budget, seconds = means.budget, time.monotonic() - started
    return Outcome(asker.usage, budget.spent, budget.guessed, seconds, asker.left, asker.stop)


async def _by_batch(means: Means, state: BatchState, firsts: list[Job], twins: list[Job]) -> Outcome:
    started, results = time.monotonic(), BatchResults(means)
    results.expect(firsts)
    batches = BatchRun(means, results, state)
    try:
        await batches.run(firsts)
    finally:
        await means.writer.aclose()
    results.settle([*firsts, *twins])
    return Outcome(results.usage, means.budget.spent, 0, time.monotonic() - started, results.left, batches.stop)
