"""Writes clinical notes for the cases of a folder, one row a note, and goes on where it stopped.

    python -m train.generate_notes --cases cases/ --strategy m --out notes.jsonl
    python -m train.generate_notes --cases cases/ --strategy m+p1 p3 --out notes.jsonl --max-usd 20
    python -m train.generate_notes --cases cases/ --strategy p3 --base-url http://127.0.0.1:8000/v1 --model medgemma \
--out notes.jsonl

Strategy M fills a template from metadata, the others ask a language model. Rows that say what would be written today
stay; rows of other strategies and of other cases are left alone.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np

from .data.cases import Cases
from .note_generation import dry_run
from .note_generation.audited_notes import Checker
from .note_generation.failures import Failures
from .note_generation.journal import Journal
from .note_generation.llm_run import Outcome, write_asked
from .note_generation.local_notes import from_parts, from_template, refuse_blank, write_filled
from .note_generation.options import parse
from .note_generation.records import Records
from .note_generation.run_counts import Tally, standing
from .note_generation.run_summary import print_next, print_requests, print_strategy
from .note_generation.setup import Setup
from .note_generation.stop_signal import INCOMPLETE
from .runtime.console import run


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the notes and says what was done.

    Returns:
        The exit status, as `--help` tells it.
    """
    setup = Setup.of(parse(argv, __doc__ or ""))
    options = setup.options
    cases = Cases.read(options.cases, splits=options.splits, sources=options.sources)
    if options.limit is not None:
        cases = cases.select(np.arange(min(options.limit, len(cases))))
    records = Records(cases)
    if options.dry_run:
        dry_run.show(setup, records)
        return 0
    tallies = {each.name: Tally() for each in setup.strategies}
    failures = Failures(setup.failures)
    with Journal.open(options.out) as journal:
        if journal.repaired:
            print(journal.repaired)
        outcome = write(setup, records, journal, failures, tallies)
    return report(setup, records, journal, failures, tallies, outcome)


def write(setup: Setup, records: Records, journal: Journal, failures: Failures, tallies: dict[str, Tally]) -> Outcome:
    """Writes strategy after strategy: first those that ask, as they may find that nothing can or may be sent."""
    demographics, outcome = setup.options.demographics, Outcome()
    if not all(each.needs_model for each in setup.strategies):
        refuse_blank(records, demographics=demographics)
    if setup.writer is not None:
        outcome = write_asked(setup, setup.writer, records, journal, failures, tallies)
    for strategy in setup.strategies:
        tally = tallies[strategy.name]
        if strategy.made_of and outcome.stop is None:
            compose = from_parts(journal, strategy, setup.vocabulary, failures, tally, demographics=demographics)
        elif not strategy.needs_model:
            compose = from_template(tally, demographics=demographics)
        else:
            continue
        write_filled(records, journal, strategy.name, compose, Checker(setup.vocabulary), tally)
    return outcome


def report(
    setup: Setup, records: Records, journal: Journal, failures: Failures, tallies: dict[str, Tally], outcome: Outcome
) -> int:
    """Prints what was done and what comes next; the exit status.

    Raises:
        WriterError: The fault that stopped the run before a single note came.
    """
    stop, asked = outcome.stop, [tallies[each.strategy.name] for each in setup.askings]
    if stop and stop.error and not any(tally.asked or tally.from_cache for tally in tallies.values()):
        raise stop.error
    for name, tally in tallies.items():
        print_strategy(name, len(records), tally, standing(journal, records.case_ids, name), failures, setup)
    if setup.writer is not None:
        failures.finish()
        print_requests(setup, outcome, sum(tally.asked for tally in asked), failures)
    unfinished = bool(stop or failures.count or outcome.left)
    dropped = sum(tally.dropped for tally in tallies.values())  # asking again would change nothing for them
    print_next(setup, again=bool(stop or failures.count > dropped or outcome.left))
    if stop:
        print(f"{'error' if stop.error else 'stopped'}: {stop.reason}", file=sys.stderr)
        return stop.status
    return INCOMPLETE if unfinished else 0


if __name__ == "__main__":
    run(main)
