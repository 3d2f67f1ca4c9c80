"""The ways a note can be written, as data: who writes it, and what the writer is given.

The names follow arXiv 2511.21827: M is a template filled from metadata; M+P1 and M+P2 give metadata and the picture to
a language model (with closed option lists, or with free descriptors); P3 gives it the picture alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from dermnote.errors import NotesError


@dataclass(frozen=True)
class Strategy:
    """One way of writing notes.

    Attributes:
        name: "m", "m+p1", "m+p2" or "p3".
        title: What it does, for a reader.
        uses_metadata: Whether the writer is told the record (and with it the diagnosis).
        uses_picture: Whether the writer sees the picture.
        writable: Whether this version of DermNote can write such notes; all of them can be read.
    """

    name: str
    title: str
    uses_metadata: bool
    uses_picture: bool
    writable: bool


STRATEGIES: dict[str, Strategy] = {
    each.name: each
    for each in (
        Strategy("m", "a template filled from metadata", True, False, True),
        Strategy("m+p1", "a language model, metadata and the ABCD option lists", True, True, False),
        Strategy("m+p2", "a language model, metadata and free descriptors", True, True, False),
        Strategy("p3", "a language model that sees the picture alone", False, True, False),
    )
}


def get_strategy(name: str) -> Strategy:
    """The strategy of this name (any case).

    Raises:
        NotesError: Nobody knows the name.
    """
    strategy = STRATEGIES.get(name.strip().lower())
    if strategy is None:
        raise NotesError(f"Unknown note strategy '{name}'.", f"Known: {', '.join(STRATEGIES)}.")
    return strategy


def get_writable_strategy(name: str) -> Strategy:
    """The strategy of this name, if its notes can be written here.

    Raises:
        NotesError: The name is unknown, or needs a language model, which this version does not call.
    """
    strategy = get_strategy(name)
    if not strategy.writable:
        raise NotesError(
            f"Strategy '{strategy.name}' needs a language model, and this version writes none of its notes.",
            "Use 'm', or bring such notes in a notes.jsonl of your own: training, search and evaluation read them.",
        )
    return strategy
