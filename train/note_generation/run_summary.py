"""What a run says at its end."""

from __future__ import annotations

from dermnote.llm.prices import FREE

from ..runtime.console import print_summary
from .cost_estimate import dollars
from .failures import Failures
from .llm_run import Outcome
from .run_counts import Standing, Tally
from .setup import Setup

CHANGED = "the record, the template or the audit has changed"
CHANGED_REQUEST = "the record, the picture, the prompt or the audit has changed"


def print_strategy(name: str, cases: int, tally: Tally, found: Standing, failures: Failures, setup: Setup) -> None:
    """The notes of one strategy: what this run did, and what the file holds for these cases now."""
    asks = name in {asking.strategy.name for asking in setup.askings}
    written = tally.asked + tally.from_cache
    rows: dict[str, object] = {"cases": cases, "notes written": tally.asked}
    if asks:
        rows["notes from the cache"] = tally.from_cache
    rows["notes kept"] = tally.kept
    if tally.replaced:
        rows["rows replaced"] = f"{tally.replaced} ({CHANGED_REQUEST if asks else CHANGED})"
    rows["without any metadata"] = tally.without_metadata
    if kinds := failures.kinds.get(name):
        rows["failed or dropped"] = f"{kinds.total()} ({', '.join(f'{kind}: {n}' for kind, n in kinds.most_common())})"
    rows["contradicted notes"] = _share(found)
    rows["other rows in the file"] = found.others
    rows["words a note"] = found.words
    rows["notes"] = setup.options.out
    missing = cases - tally.without_metadata - found.count
    state = f"{missing:,} missing" if missing else "written" if written else "up to date"
    print_summary(f"Notes of strategy {name}: {state} (research use only)", rows)


def _share(found: Standing) -> str:
    kinds = ", ".join(f"{kind}: {count}" for kind, count in found.kinds.most_common())
    share = found.contradicted / found.count if found.count else 0.0
    return f"{found.contradicted} of {found.count} ({share:.1%}{'; ' + kinds if kinds else ''})"


def print_requests(setup: Setup, outcome: Outcome, notes: int, failures: Failures) -> None:
    """What was asked and what it cost; one line if nothing was."""
    if setup.writer is None:
        return
    if not outcome.usage.requests and not outcome.left and not failures.count:
        print(f"\nNothing had to be asked of {setup.writer.model}.")
        return
    usage, refusals = outcome.usage, sum(kinds["refusal"] for kinds in failures.kinds.values())
    rows: dict[str, object] = {
        "requests": f"{usage.requests:,}",
        "tokens": f"{usage.prompt_tokens:,} in, {usage.completion_tokens:,} out",
        "cost": _cost(setup, outcome),
        "time": f"{outcome.seconds:.1f} s, {notes / outcome.seconds if outcome.seconds else 0:.1f} notes a second",
        "refusals": refusals,
    }
    if outcome.guessed and setup.price not in (None, FREE):
        rows["of unknown cost"] = f"{outcome.guessed:,} requests (answer lost, or not counted), taken at their most"
    if outcome.left:
        rows["not asked for yet"] = f"{outcome.left:,}"
    if failures.count:
        rows["failures"] = failures.path
    print_summary(f"Asked of {setup.writer.model} at {setup.writer.host}:", rows)


def _cost(setup: Setup, outcome: Outcome) -> str:
    if setup.price is None:
        return f"price unknown: {setup.writer.model if setup.writer else ''} is in no price table (see --prices)"
    limit = setup.options.max_usd
    said = dollars(outcome.spent) + (" (batch price)" if setup.options.batch else "")
    return f"{said} of at most {dollars(limit)}" if limit is not None else said


def print_next(setup: Setup, *, again: bool) -> None:
    """The command that usually comes next; `again` says that it is the same one."""
    if again:
        print("\nnext: run the same command again; only what is missing will be asked for")
        return
    cases, out = setup.options.cases, setup.options.out
    print(
        "\nnext: accelerate launch -q -m train.fit --config train/configs/finetune.yaml --init-from dermnote/starter"
        f" --cases {cases} --notes {out} --out runs/first"
    )
