"""Which licence a bundle gets from the licences of the data it was made of."""

from __future__ import annotations

from collections.abc import Iterable

# What each asks of a reuser; the weights and thumbnails then ask all of it.
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
    """The one licence that asks all that the given ones ask; "other" if none does or one of them is not known.

    Args:
        licences: In the Hub's spelling, e.g. "cc-by-nc-4.0".
    """
    given = list(dict.fromkeys(licences))
    if len(given) == 1:
        return given[0]
    if not given or any(each not in CONDITIONS for each in given):
        return UNKNOWN
    asked = frozenset[str]().union(*(CONDITIONS[each] for each in given))
    names = [name for name, conditions in CONDITIONS.items() if conditions == asked]
    exact = [name for name in names if name in given]
    if "sa" in asked and not exact:
        return UNKNOWN  # share-alike allows no other licence than itself
    creative = [name for name in names if name.startswith("cc")]
    return next(iter([*(name for name in exact if name in creative), *exact, *creative, *names]), UNKNOWN)
