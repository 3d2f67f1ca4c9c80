"""Write clinical notes for the cases of a folder, one row per note; a repeated command continues where it stopped.

    python -m train.generate_notes --cases cases/ --strategy m --out notes.jsonl
    python -m train.generate_notes --cases cases/ --strategy m+p1 p3 --out notes.jsonl --max-usd 20
    python -m train.generate_notes --cases cases/ --strategy p3 --base-url http://127.0.0.1:8000/v1 --model medgemma \
--out notes.jsonl

Strategy M fills a template from metadata, the others use a language model. Rows that are up to date are kept, as are
rows of other strategies and of other cases.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence

import numpy as np
from tqdm.auto import tqdm

from dermnote.errors import NotesError
from dermnote.metadata import LesionMetadata
from dermnote.notes.schema import Note, NoteRow
from dermnote.notes.strategies import Strategy
from dermnote.notes.template import has_diagnosis, template_note
from dermnote.notes.writing import mix_notes

from .data.cases import Cases
from .note_generation.batch_results import BatchResults
from .note_generation.concurrent_requests import ConcurrentRequests
from .note_generation.cost_estimate import get_consent, show_dry_run, split_duplicates
from .note_generation.journal import Journal, content_digest
from .note_generation.note_run import INCOMPLETE, Job, NoteRun, Records, Tally
from .note_generation.openai_batch import BatchClient, BatchState
from .note_generation.reply_cache import ReplyCache
from .note_generation.run_settings import RunSettings, parse
from .note_generation.run_summary import print_next_command, print_requests, print_strategy
from .runtime.console import run as run_main

PART_MISSING = "part missing"  # kind of failure


def main(argv: Sequence[str] | None = None) -> int:
    """Write the notes and print a summary; returns the exit status (see `--help`)."""
    settings = RunSettings.read(parse(argv, __doc__ or ""))
    options = settings.options
    table = Cases.read(options.cases, splits=options.splits, sources=options.sources)
    if options.limit is not None:
        table = table.select(np.arange(min(options.limit, len(table))))
    cases = Records(table)
    if options.dry_run:
        show_dry_run(settings, cases)
        return 0
    with Journal.open(options.out) as journal:
        if journal.repaired:
            print(journal.repaired)
        run = NoteRun(settings, cases, journal)
        write(run)
    return report(run)


def write(run: NoteRun) -> None:
    """Write all strategies, first those with requests, which may turn out to be impossible or not permitted."""
    if not all(strategy.needs_model for strategy in run.settings.strategies):
        _require_template_metadata(run)
    if run.settings.writer is not None:
        write_requested(run)
    for strategy in run.settings.strategies:
        if not strategy.needs_model or (strategy.made_of and run.stop is None):
            write_local(run, strategy)


def write_requested(run: NoteRun) -> None:
    """Bring the notes of all strategies with requests up to date.

    Raises:
        NotesError: See `NoteRun.plan`; or consent is refused; or batches are under way.
    """
    options = run.settings.options
    with ReplyCache(run.settings.cache) as run.cache:
        jobs = run.plan()
        state = BatchState(run.settings.batches, run.writer.host)
        if state.batches and not options.batch:
            hint = f"Add --batch to collect them, or remove {state.path} to give them up."
            raise NotesError(f"Batches for {options.out} are under way.", hint)
        unique, duplicates = split_duplicates(run.record_cached(jobs))
        if unique and not state.batches:
            get_consent(run, unique)
        asyncio.run(_send(run, state, unique, duplicates))


async def _send(run: NoteRun, state: BatchState, unique: list[Job], duplicates: list[Job]) -> None:
    """Send all requests; duplicates follow when the reply to the equal request is cached."""
    started = time.monotonic()
    try:
        if run.settings.options.batch:
            results = BatchResults(run, unique)
            await BatchClient(run, results, state).process(unique)
            results.settle([*unique, *duplicates])
        else:
            requests = ConcurrentRequests(run)
            await requests.send(unique)
            await requests.send(duplicates)
    finally:
        await run.writer.aclose()
    run.seconds = time.monotonic() - started


def write_local(run: NoteRun, strategy: Strategy) -> None:
    """Bring the notes of a strategy without requests of its own up to date."""
    name, tally, journal, auditor = strategy.name, run.tallies[strategy.name], run.journal, run.auditor
    for row, case_id in enumerate(tqdm(run.cases.case_ids, desc=f"writing {name} notes", unit="note", leave=False)):
        metadata = run.cases.metadata(row)
        note = _mixed_note(run, strategy, case_id, metadata) if strategy.made_of else _filled_note(run, tally, metadata)
        if note is None:
            continue
        entry = journal.entries.get((case_id, name))
        if entry and entry.content == content_digest(note) and entry.checked == auditor.version(metadata):
            tally.kept += 1
            continue
        tally.replaced += entry is not None
        tally.written += 1
        journal.append(NoteRow(case_id, auditor.check(note, metadata)))


def _filled_note(run: NoteRun, tally: Tally, metadata: LesionMetadata) -> Note | None:
    try:
        return template_note(metadata, demographics=run.settings.options.demographics)
    except NotesError:
        tally.without_metadata += 1
        return None


def _require_template_metadata(run: NoteRun) -> None:
    """Raise NotesError if the template could not fill a single note, before any request is sent."""
    tally, count = Tally(), len(run.cases)
    if not any(_filled_note(run, tally, run.cases.metadata(row)) for row in range(count)):
        tally.require_metadata(count)


def _mixed_note(run: NoteRun, strategy: Strategy, case_id: str, metadata: LesionMetadata) -> Note | None:
    if not has_diagnosis(metadata):
        run.tallies[strategy.name].without_metadata += 1
        return None
    first, second = (run.journal.read((case_id, name)) for name in strategy.made_of)
    parts, settings = " and ".join(strategy.made_of), run.settings
    try:
        if first is None or second is None:
            raise NotesError(f"A {strategy.name} note is made of {parts}, and one is missing.", "Run it again.")
        if first.model != second.model:
            raise NotesError(f"The notes by {parts} are of two models.", "Write both with one.")
        return mix_notes(first, second, metadata, settings.vocabulary, demographics=settings.options.demographics)
    except NotesError as error:
        run.failures.add(case_id, strategy.name, error, PART_MISSING)
        return None


def report(run: NoteRun) -> int:
    """Print a summary and the next command; returns the exit status.

    Raises:
        WriterError: An error stopped the run before the first note.
    """
    stop, failures, tallies = run.stop, run.failures, run.tallies.values()
    if stop and stop.error and not any(tally.written or tally.from_cache for tally in tallies):
        raise stop.error
    for strategy in run.settings.strategies:
        print_strategy(run, strategy.name)
    if run.settings.writer is not None:
        failures.finish()
        print_requests(run)
    unfinished = bool(stop or failures.count or run.unsent)
    dropped = sum(tally.dropped for tally in tallies)  # another request would not change these
    print_next_command(run, again=bool(stop or failures.count > dropped or run.unsent))
    if stop:
        print(f"{'error' if stop.error else 'stopped'}: {stop.reason}", file=sys.stderr)
        return stop.status
    return INCOMPLETE if unfinished else 0


if __name__ == "__main__":
    run_main(main)
