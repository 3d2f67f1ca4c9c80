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
from collections import Counter
from collections.abc import Sequence

import numpy as np
from tqdm.auto import tqdm

from dermnote.errors import NotesError
from dermnote.llm.prices import FREE
from dermnote.metadata import LesionMetadata
from dermnote.notes.schema import Note, NoteRow
from dermnote.notes.strategies import Strategy
from dermnote.notes.template import has_diagnosis, template_note
from dermnote.notes.writing import mix_notes

from .data.cases import Cases
from .note_generation.concurrent_requests import ConcurrentRequests
from .note_generation.cost_estimate import dollars, get_consent, show_dry_run, split_duplicates
from .note_generation.journal import Journal, ReplyCache, content_digest
from .note_generation.note_run import INCOMPLETE, Job, NoteRun, Records, Tally
from .note_generation.openai_batch import BatchClient, BatchResults, BatchState
from .note_generation.run_settings import RunSettings, parse
from .runtime.console import print_summary
from .runtime.console import run as run_main

PART_MISSING = "part missing"  # kind of failure
CHANGED = "the record, the template or the audit has changed"
CHANGED_REQUEST = "the record, the image, the prompt or the audit has changed"


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
        _print_strategy(run, strategy.name)
    if run.settings.writer is not None:
        failures.finish()
        _print_requests(run)
    unfinished = bool(stop or failures.count or run.unsent)
    dropped = sum(tally.dropped for tally in tallies)  # another request would not change these
    _print_next_command(run, again=bool(stop or failures.count > dropped or run.unsent))
    if stop:
        print(f"{'error' if stop.error else 'stopped'}: {stop.reason}", file=sys.stderr)
        return stop.status
    return INCOMPLETE if unfinished else 0


def _print_strategy(run: NoteRun, name: str) -> None:
    """Print the notes of one strategy: those written by this run, and those in the file for these cases."""
    tally, cases = run.tallies[name], run.cases.case_ids
    by_model = name in {builder.strategy.name for builder in run.settings.builders}
    found = [run.journal.entries.get((case_id, name)) for case_id in cases]
    entries = [entry for entry in found if entry is not None]
    rows: dict[str, object] = {"cases": len(cases), "notes written": tally.written}
    if by_model:
        rows["notes from the cache"] = tally.from_cache
    rows["notes kept"] = tally.kept
    if tally.replaced:
        rows["rows replaced"] = f"{tally.replaced} ({CHANGED_REQUEST if by_model else CHANGED})"
    rows["without any metadata"] = tally.without_metadata
    if kinds := run.failures.kinds.get(name):
        rows["failed or dropped"] = f"{kinds.total()} ({_list(kinds)})"
    contradicted = sum(bool(entry.contradicted) for entry in entries)
    share = f"{contradicted / len(entries) if entries else 0.0:.1%}"
    kinds = Counter(kind for entry in entries for kind in entry.contradicted)
    rows["contradicted notes"] = f"{contradicted} of {len(entries)} ({'; '.join(filter(None, (share, _list(kinds))))})"
    rows["other rows in the file"] = len(run.journal.entries) - len(entries)
    lengths = [entry.words for entry in entries]
    mean = sum(lengths) / len(lengths) if lengths else 0.0
    rows["words a note"] = f"{mean:.1f} ({min(lengths)} to {max(lengths)})" if lengths else "-"
    rows["notes"] = run.settings.options.out
    missing, written = len(cases) - tally.without_metadata - len(entries), tally.written + tally.from_cache
    state = f"{missing:,} missing" if missing else "written" if written else "up to date"
    print_summary(f"Notes of strategy {name}: {state} (research use only)", rows)


def _list(kinds: Counter[str]) -> str:
    return ", ".join(f"{kind}: {count}" for kind, count in kinds.most_common())


def _print_requests(run: NoteRun) -> None:
    """Print requests, tokens and cost; one line if nothing was sent."""
    writer, usage, failures = run.writer, run.usage, run.failures
    if not usage.requests and not run.unsent and not failures.count:
        print(f"\nNothing had to be requested from {writer.model}.")
        return
    notes = sum(run.tallies[builder.strategy.name].written for builder in run.settings.builders)
    rows: dict[str, object] = {
        "requests": f"{usage.requests:,}",
        "tokens": f"{usage.prompt_tokens:,} in, {usage.completion_tokens:,} out",
        "cost": _cost(run),
        "time": f"{run.seconds:.1f} s, {notes / run.seconds if run.seconds else 0:.1f} notes a second",
        "refusals": sum(kinds["refusal"] for kinds in failures.kinds.values()),
    }
    if run.budget.guessed and run.settings.price not in (None, FREE):
        count = f"{run.budget.guessed:,} requests"
        rows["of unknown cost"] = f"{count} (answer lost, or tokens not counted), included with their upper bound"
    if run.unsent:
        rows["not requested yet"] = f"{run.unsent:,}"
    if failures.count:
        rows["failures"] = failures.path
    print_summary(f"Requests to {writer.model} at {writer.host}:", rows)


def _cost(run: NoteRun) -> str:
    options = run.settings.options
    if run.settings.price is None:
        return f"price unknown: {run.writer.model} is in no price table (see --prices)"
    cost = dollars(run.budget.spent) + (" (batch price)" if options.batch else "")
    return cost if options.max_usd is None else f"{cost} of at most {dollars(options.max_usd)}"


def _print_next_command(run: NoteRun, *, again: bool) -> None:
    """Print the command that usually comes next; `again` if it is the same one."""
    if again:
        print("\nnext: run the same command again; only what is missing will be requested")
        return
    package, options = str(__package__), run.settings.options
    config = f"--config {package.replace('.', '/')}/configs/finetune.yaml --init-from dermnote/starter"
    files = f"--cases {options.cases} --notes {options.out} --out runs/first"
    print(f"\nnext: accelerate launch -q -m {package}.fit {config} {files}")


if __name__ == "__main__":
    run_main(main)
