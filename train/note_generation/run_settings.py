"""Command line of `train.generate_notes`, and its validation."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dermnote.errors import NotesError
from dermnote.llm.prices import Price, find_price, read_prices
from dermnote.notes.note_request import RequestBuilder
from dermnote.notes.strategies import STRATEGIES, Strategy, get_strategy
from dermnote.notes.writing import NoteWriter
from dermnote.vocabularies.vocabulary import Vocabulary, dermoscopy

from ..data.cases import SPLITS

EPILOG = """\
strategies:
{strategies}

The key is taken from OPENAI_API_KEY; --base-url names any server with OpenAI's chat completions API (vLLM, Ollama,
llama.cpp). Before images are sent to another machine, the command shows what is sent and asks for consent.

Run the same command again to continue: notes that are up to date are kept, replies are read from the cache beside
--out, and only what is missing is requested. A note whose record, prompt or image has changed is replaced once the new
one is there. failures.jsonl beside notes.jsonl (X.failures.jsonl beside X.jsonl) lists the cases without a note, and
why.

exit status: 0 all written; 3 some notes failed or were dropped, or the run was stopped; 2 nothing could be done
(invalid arguments, rejected key, no consent); 130 and 143 stopped by Ctrl-C or SIGTERM.
"""


def parse(argv: Sequence[str] | None, description: str) -> argparse.Namespace:
    """Parse the command line."""
    titles = "\n".join(f"  {name:<5} {each.title}" for name, each in STRATEGIES.items())
    parser = argparse.ArgumentParser(
        prog=f"python -m {__package__.rpartition('.')[0]}.generate_notes",
        description=description,
        epilog=EPILOG.format(strategies=titles),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cases = "folder that train.prepare wrote, or a Hub dataset: org/name[@revision]"
    parser.add_argument("--cases", required=True, metavar="CASES", help=cases)
    names = f"{', '.join(STRATEGIES)} (default: m)"
    parser.add_argument("--strategy", nargs="+", default=["m"], metavar="NAME", help=names)
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="notes.jsonl to write or to continue")
    parser.add_argument("--demographics", action="store_true", help="include age, sex, site and skin type")
    parser.add_argument("--splits", nargs="+", metavar="SPLIT", help=f"only these splits: {', '.join(SPLITS)}")
    parser.add_argument("--sources", nargs="+", metavar="SOURCE", help="only these sources")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N cases")
    _add_request_options(parser.add_argument_group("requests to a language model"))
    _add_cost_options(parser.add_argument_group("consent and costs"))
    add = parser.add_argument_group("files").add_argument
    contradicted = "a note contradicted by its record is kept and flagged (default), requested once more, or left out"
    add("--on-contradiction", choices=("keep", "retry", "drop"), default="keep", help=contradicted)
    add("--cache", type=Path, metavar="FILE", help="cache of replies (default: beside --out)")
    add("--replace", action="store_true", help="replace another model's notes by this model's")
    return parser.parse_args(argv)


def _add_request_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--model", help="name of the model (default: DERMNOTE_LLM, else gpt-4o-mini)")
    add("--base-url", metavar="URL", help="server, such as http://127.0.0.1:8000/v1 (default: OPENAI_BASE_URL)")
    add("--vocabulary", type=Path, metavar="FILE", help="another specialty's features, options and classes, as YAML")
    add("--detail", choices=("low", "high"), default="low", help="image detail (default: low)")
    add("--concurrency", type=int, default=16, metavar="N", help="concurrent requests (default: 16)")
    add("--timeout", type=float, default=60.0, metavar="S", help="time limit of a request in seconds (default: 60)")
    add("--max-retries", type=int, default=4, metavar="N", help="repetitions of a failed request (default: 4)")
    add("--batch", action="store_true", help="use the Batch API: half the price, replies within a day")


def _add_cost_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--dry-run", action="store_true", help="show requests and costs; send and write nothing")
    add("--yes", action="store_true", help="send without asking for consent")
    add("--max-usd", type=float, metavar="X", help="stop before this run costs more")
    add("--prices", type=Path, metavar="FILE", help="prices that override dermnote/llm/prices.yaml")


@dataclass(frozen=True)
class RunSettings:
    """Validated command line.

    Attributes:
        options: Command line.
        strategies: Requested strategies and their parts, in the order of writing.
        vocabulary: Options and classes.
        writer: Client of the language model; None if no strategy needs it.
        price: Price of its model; None if unknown.
    """

    options: argparse.Namespace
    strategies: tuple[Strategy, ...]
    vocabulary: Vocabulary
    writer: NoteWriter | None = None
    price: Price | None = None

    @classmethod
    def read(cls, options: argparse.Namespace) -> RunSettings:
        """Validate the command line.

        Raises:
            DermNoteError: An option is invalid.
        """
        _check(options)
        strategies = _with_parts(options.strategy)
        vocabulary = Vocabulary.read(options.vocabulary) if options.vocabulary else dermoscopy()
        if not any(each.needs_model for each in strategies):
            return cls(options, strategies, vocabulary)
        writer = NoteWriter(
            options.model, base_url=options.base_url, timeout=options.timeout, max_retries=options.max_retries
        )
        price = find_price(read_prices(options.prices), writer.model, local=writer.is_local)
        if price is None and options.max_usd is not None:
            hint = "Name its price in a file for --prices, or leave --max-usd out."
            raise NotesError(f"--max-usd cannot be kept: the price of {writer.model} is unknown.", hint)
        return cls(options, strategies, vocabulary, writer, price)

    @cached_property
    def builders(self) -> list[RequestBuilder]:
        """Request builders of the strategies with a prompt."""
        if self.writer is None:
            return []
        model, options = self.writer.model, self.options
        return [
            RequestBuilder(each, model, self.vocabulary, options.demographics, options.detail)
            for each in self.strategies
            if each.prompt is not None
        ]

    @property
    def cache(self) -> Path:
        """Cache of replies."""
        return self.options.cache or self._beside("replies.sqlite")

    @property
    def failures(self) -> Path:
        """File of failures: failures.jsonl beside notes.jsonl, else named after the notes file."""
        out: Path = self.options.out
        return out.with_name("failures.jsonl") if out.name == "notes.jsonl" else self._beside("failures.jsonl")

    @property
    def batches(self) -> Path:
        """File of submitted batches."""
        return self._beside("batches.json")

    def _beside(self, suffix: str) -> Path:
        out: Path = self.options.out
        return out.with_name(f"{out.stem}.{suffix}")


def _with_parts(names: list[str]) -> tuple[Strategy, ...]:
    """Return the strategies of these names, and before them the parts of those that join others."""
    chosen = [get_strategy(name) for name in names]
    parts = [get_strategy(part) for each in chosen for part in each.made_of]
    return tuple(dict.fromkeys(sorted([*chosen, *parts], key=lambda each: bool(each.made_of))))


def _check(options: argparse.Namespace) -> None:
    if options.out.is_dir():
        raise NotesError(f"{options.out} is a folder.", "Name a file for --out, such as notes.jsonl.")
    if options.cache == options.out:
        raise NotesError("--cache and --out are the same file.")
    for name, least in (("concurrency", 1), ("limit", 1), ("max_retries", 0)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise NotesError(f"--{name.replace('_', '-')} must be at least {least}.")
    for name in ("timeout", "max_usd"):
        value = getattr(options, name)
        if value is not None and not 0 < value < math.inf:
            raise NotesError(f"--{name.replace('_', '-')} must be more than 0.")
