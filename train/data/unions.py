"""Union-find: which things belong together, when pairs are joined one after another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable


class Unions:
    """Disjoint sets over 0..size-1."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))
        self._first: dict[Hashable, int] = {}

    def join_key(self, index: int, key: Hashable) -> None:
        """Joins `index` with every other index that was given the same key."""
        self.join(index, self._first.setdefault(key, index))

    def join(self, one: int, other: int) -> None:
        """Joins the sets of two indices."""
        self._parent[self._root(one)] = self._root(other)

    def components(self) -> list[list[int]]:
        """The sets, each sorted, in order of their first index."""
        found: dict[int, list[int]] = defaultdict(list)
        for index in range(len(self._parent)):
            found[self._root(index)].append(index)
        return list(found.values())

    def _root(self, index: int) -> int:
        while self._parent[index] != index:
            self._parent[index] = self._parent[self._parent[index]]
            index = self._parent[index]
        return index
