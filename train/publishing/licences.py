"""Licence of a bundle, derived from the licences of its data."""

from __future__ import annotations

from collections.abc import Iterable

# Conditions of each licence: attribution, share-alike, non-commercial.
CONDITIONS: dict[str, frozenset[str]] = {
    "cc0-1.0": frozenset(),
    "apache-2.0": frozenset({"by"}),
    "mit": frozenset({"by"}),
    "cc-by-4.0": frozenset({"by"}),
    "cc-by-sa-4.0": frozenset({"by", "sa"}),
    "cc-by-nc-4.0": frozenset({"by", "nc"}),
    "cc-by-nc-sa-4.0": frozenset({"by", "nc", "sa"}),
}
UNKNOWN = "other"


def strictest(licences: Iterable[str]) -> str:
    """Return the licence with all conditions of the given ones; "other" if there is none or one is unknown.

    Licences are in the Hub's spelling, e.g. "cc-by-nc-4.0".
    """
    names = list(dict.fromkeys(licences))
    if len(names) == 1:
        return names[0]
    if not names or any(each not in CONDITIONS for each in names):
        return UNKNOWN
    union = frozenset[str]().union(*(CONDITIONS[each] for each in names))
    fitting = [name for name, conditions in CONDITIONS.items() if conditions == union]
    given = [name for name in fitting if name in names]
    if "sa" in union and not given:
        return UNKNOWN  # share-alike allows no other licence than itself
    creative = [name for name in fitting if name.startswith("cc")]
    return next(iter([*(name for name in given if name in creative), *given, *creative, *fitting]), UNKNOWN)
