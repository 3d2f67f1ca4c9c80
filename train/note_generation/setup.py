"""What a run was asked to do, checked before anything is read or written."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dermnote.errors import NotesError
from dermnote.llm.prices import Price, find_price, read_prices
from dermnote.llm.request import Asking
from dermnote.notes.strategies import Strategy, get_strategy
from dermnote.vocabularies.vocabulary import Vocabulary, dermoscopy

if TYPE_CHECKING:
    from dermnote.llm.note_writer import NoteWriter


@dataclass(frozen=True)
class Setup:
    """The command line, and what it names.

    Attributes:
        options: The command line.
        strategies: What is asked for, and what that is made of, in the order of writing.
        vocabulary: Options and classes.
        writer: What asks; None if no strategy needs it.
        price: What its model costs; None if unknown.
    """

    options: argparse.Namespace
    strategies: tuple[Strategy, ...]
    vocabulary: Vocabulary
    writer: NoteWriter | None
    price: Price | None

    @classmethod
    def of(cls, options: argparse.Namespace) -> Setup:
        """Checks the command line.

        Raises:
            DermNoteError: Something in it cannot be meant.
        """
        _check(options)
        strategies = _with_parts(options.strategy)
        vocabulary = Vocabulary.read(options.vocabulary) if options.vocabulary else dermoscopy()
        if not any(each.needs_model for each in strategies):
            return cls(options, strategies, vocabulary, None, None)
        from dermnote.llm.note_writer import NoteWriter

        writer = NoteWriter(
            options.model, base_url=options.base_url, timeout=options.timeout, max_retries=options.max_retries
        )
        price = find_price(read_prices(options.prices), writer.model, local=writer.is_local)
        if price is None and options.max_usd is not None:
            hint = "Name its price in a file for --prices, or leave --max-usd out."
            raise NotesError(f"--max-usd cannot be kept: the price of {writer.model} is unknown.", hint)
        return cls(options, strategies, vocabulary, writer, price)

    @cached_property
    def askings(self) -> list[Asking]:
        """What is asked of the language model, one a strategy."""
        if self.writer is None:
            return []
        model, options = self.writer.model, self.options
        return [
            Asking(each, model, self.vocabulary, options.demographics, options.detail)
            for each in self.strategies
            if each.prompt is not None
        ]

    @property
    def cache(self) -> Path:
        """The file replies are kept in."""
        out: Path = self.options.out
        return self.options.cache or out.with_name(f"{out.stem}.replies.sqlite")

    @property
    def failures(self) -> Path:
        """The file of what failed: failures.jsonl beside notes.jsonl, else named after the notes file."""
        out: Path = self.options.out
        return out.with_name("failures.jsonl" if out.name == "notes.jsonl" else f"{out.stem}.failures.jsonl")

    @property
    def batches(self) -> Path:
        """The file that tells of batches under way."""
        out: Path = self.options.out
        return out.with_name(f"{out.stem}.batches.json")


def _with_parts(names: list[str]) -> tuple[Strategy, ...]:
    """The strategies of these names; one that is made of others comes after them, as they must be there first."""
    asked = [get_strategy(name) for name in names]
    parts = [get_strategy(part) for each in asked for part in each.made_of]
    ordered = sorted([*asked, *parts], key=lambda each: bool(each.made_of))
    return tuple(dict.fromkeys(ordered))


def _check(options: argparse.Namespace) -> None:
    if options.out.is_dir():
        raise NotesError(f"{options.out} is a folder.", "Name a file for --out, such as notes.jsonl.")
    if options.cache == options.out:
        raise NotesError("--cache and --out are the same file.")
    for name in ("concurrency", "limit"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise NotesError(f"--{name} must be at least 1.")
    if options.max_retries < 0:
        raise NotesError("--max-retries must be at least 0.")
    for name in ("timeout", "max_usd"):
        value = getattr(options, name)
        if value is not None and not 0 < value < math.inf:
            raise NotesError(f"--{name.replace('_', '-')} must be more than 0.")
