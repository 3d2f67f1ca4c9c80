"""The held-out pictures a bundle was measured on, by split and source (`train.evaluate` writes them)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dermnote.app.model.untrusted import count, sequence, share, table, words

DRAWN = "drawn"  # lesions drawn by a program: easy to tell
FEW = 20  # pictures; a share of fewer is not told
MOST_CLASSES, MOST_SETS = 40, 24


@dataclass(frozen=True)
class HeldOut:
    """One set of pictures that nothing was trained on, and what was measured there.

    Attributes:
        split: "test", "external", ...
        source: Name of the data source; "all" are the photographs of several.
        n_pictures: None if it is not told.
        n_groups: Patients or lesions they are of; None if it is not told.
        classnames: By class id; empty if they are not told.
        block: What else was measured, as the bundle says it: of any shape.
        drawn: Whether the lesions are drawn ones.
    """

    split: str
    source: str
    n_pictures: int | None
    n_groups: int | None
    classnames: tuple[str, ...]
    block: Mapping[str, Any]
    drawn: bool

    @property
    def name(self) -> str:
        """Split and source in words."""
        return f"{self.split}, {'all photographs' if self.source == 'all' else self.source}"

    @property
    def classification(self) -> Mapping[str, Any]:
        """What was measured of the classes."""
        return table(self.block.get("classification"))

    @property
    def recall(self) -> dict[str, float]:
        """By class that occurs among the pictures, the share of them (0..1) that is told right; by name."""
        told, found = table(self.classification.get("recall")), self.support
        shares = {name: share(told.get(name)) for name in self.classnames if found.get(name)}
        return {name: value for name, value in shares.items() if value is not None}

    @property
    def support(self) -> dict[str, int]:
        """Pictures by class, 0 included; a class of which it is not told is left out."""
        told = table(self.classification.get("support"))
        counts = {name: count(told.get(name)) for name in self.classnames}
        return {name: value for name, value in counts.items() if value is not None}

    @property
    def confusion(self) -> list[list[int]] | None:
        """Counts, rows are recorded classes, columns answered ones, by class id; None if it is not told."""
        rows = [[count(cell) for cell in sequence(row)] for row in sequence(self.classification.get("confusion"))]
        size = len(self.classnames)
        whole = [[cell for cell in row if cell is not None] for row in rows]
        square = len(whole) == size and all(len(row) == size for row in whole)
        return whole if size and square else None


def held_out(metrics: Any) -> list[HeldOut]:
    """Every set with figures, in the bundle's order; a single source is not told twice."""
    told = table(metrics)
    names = tuple(words(name) for name in sequence(told.get("classnames"), MOST_CLASSES))
    classnames = names if all(names) and len(set(names)) == len(names) else ()
    return list(_sets(table(told.get("splits")), classnames))[:MOST_SETS]


def _sets(splits: Mapping[str, Any], classnames: tuple[str, ...]) -> Iterator[HeldOut]:
    for split, sources in splits.items():
        for source, value in table(sources).items():
            block = table(value)
            pooled = sequence(block.get("sources"))
            if block and (source != "all" or len(pooled) > 1):
                counts = count(block.get("n_cases")), count(block.get("n_groups"))
                drawn = source == DRAWN or list(pooled) == [DRAWN]
                yield HeldOut(words(split) or "?", words(source) or "?", *counts, classnames, block, drawn)
