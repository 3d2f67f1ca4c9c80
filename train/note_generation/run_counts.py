"""What a run did, by number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from .journal import Journal


@dataclass
class Tally:
    """Notes of one strategy.

    Attributes:
        kept: Rows that could stay.
        asked: Written from replies of this run, or filled in.
        from_cache: Written from replies of earlier runs.
        replaced: Of those written, how many took the place of an older row.
        dropped: Notes that were left out because their record contradicts them.
        without_metadata: Cases of which nothing is known that the strategy could tell.
    """

    kept: int = 0
    asked: int = 0
    from_cache: int = 0
    replaced: int = 0
    dropped: int = 0
    without_metadata: int = 0


@dataclass(frozen=True)
class Standing:
    """The notes of a strategy that the file holds for the cases at hand.

    Attributes:
        count: How many.
        words: Mean and range of their lengths in words.
        contradicted: How many make a claim that their record contradicts.
        kinds: The same by kind of claim.
        others: Rows of the file that are of other cases or strategies.
    """

    count: int
    words: str
    contradicted: int
    kinds: Counter[str]
    others: int


def standing(journal: Journal, case_ids: Iterable[str], strategy: str) -> Standing:
    """Looks up what the file holds."""
    found = (journal.entries.get((case_id, strategy)) for case_id in case_ids)
    entries = [entry for entry in found if entry is not None]
    lengths = [entry.words for entry in entries]
    return Standing(
        count=len(entries),
        words=f"{sum(lengths) / len(lengths):.1f} ({min(lengths)} to {max(lengths)})" if lengths else "-",
        contradicted=sum(bool(entry.contradicted) for entry in entries),
        kinds=Counter(kind for entry in entries for kind in entry.contradicted),
        others=len(journal.entries) - len(entries),
    )
