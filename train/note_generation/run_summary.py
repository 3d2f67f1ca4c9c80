"""Summary printed at the end of a run."""

from __future__ import annotations

from collections import Counter

from dermnote.llm.prices import FREE

from ..runtime.console import print_summary
from .cost_estimate import dollars
from .note_run import NoteRun

CHANGED = "the record, the template or the audit has changed"
CHANGED_REQUEST = "the record, the image, the prompt or the audit has changed"


def print_strategy(run: NoteRun, name: str) -> None:
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


def print_requests(run: NoteRun) -> None:
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


def print_next_command(run: NoteRun, *, again: bool) -> None:
    """Print the command that usually comes next; `again` if it is the same one."""
    if again:
        print("\nnext: run the same command again; only what is missing will be requested")
        return
    package, options = str(__package__).rpartition(".")[0], run.settings.options
    config = f"--config {package.replace('.', '/')}/configs/finetune.yaml --init-from dermnote/starter"
    files = f"--cases {options.cases} --notes {options.out} --out runs/first"
    print(f"\nnext: accelerate launch -q -m {package}.fit {config} {files}")
