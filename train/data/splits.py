"""Splits by group: 70% train, 15% validation, 15% test, stratified by class within each source.

Invariant: no patient or lesion, and no image with its byte-for-byte or pixel-for-pixel copy, is in two splits. So
groups that share an image are merged first. The result depends on the seed and on the set of cases, never on the order
of rows, and a source's split does not change when another source is added (unless the two share an image).
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SHARES = {"train": 0.70, "validation": 0.15, "test": 0.15}
LATER = ("train", "validation", "test", "external")  # an image claimed by two splits goes to the later one


@dataclass(frozen=True)
class Member:
    """The properties of a case that decide its split.

    Attributes:
        source: Name of its source.
        group: Patient or lesion, prefixed by the source.
        label: Class name.
        contents: Hashes of its file and of its pixels, and its id in the ISIC Archive; cases that have one in common
            show the same image.
        split: The publisher's own split, or None.
    """

    source: str
    group: str
    label: str
    contents: tuple[str, ...]
    split: str | None = None


@dataclass(frozen=True)
class Assignment:
    """The split of a case.

    Attributes:
        split: "train", "validation", "test", "external"; None if it is left out.
        group: Its group after merging.
        reason: The reason for leaving it out; empty if it is kept.
    """

    split: str | None
    group: str
    reason: str = ""


def assign_splits(members: Sequence[Member], *, seed: int = 0, external: Collection[str] = ()) -> list[Assignment]:
    """Assign every case to a split, in the order given.

    An official split is kept. Where it has no test (or no validation) part, a share of the source's training groups
    becomes one, so that every source has held-out groups. Sources in `external` are kept whole as the "external" split.
    """
    left_out = _contradicting(members)
    merged = _merged_groups(members, left_out)
    official = ["external" if member.source in external else member.split for member in members]
    left_out |= _in_an_earlier_split(members, merged, official, left_out)
    groups: dict[str, list[int]] = defaultdict(list)
    for index, group in enumerate(merged):
        if index not in left_out:
            groups[group].append(index)
    decided = _decide(members, groups, official, seed)
    result = [
        Assignment(None, merged[i], left_out[i]) if i in left_out else Assignment(decided[merged[i]], merged[i])
        for i in range(len(members))
    ]
    check_disjoint(members, result)
    return result


def check_disjoint(members: Sequence[Member], result: Sequence[Assignment]) -> None:
    """Raise AssertionError if a group or an image is in two splits."""
    splits: dict[str, str] = {}
    for member, assignment in zip(members, result, strict=True):
        if assignment.split is None:
            continue
        for key in (f"group {member.group}", f"group {assignment.group}", *member.contents):
            if splits.setdefault(key, assignment.split) != assignment.split:
                raise AssertionError(f"{key} is in {splits[key]} and in {assignment.split}")


def _contradicting(members: Sequence[Member]) -> dict[int, str]:
    """Return identical images with different labels; the right one is unknown, so all of them are left out."""
    reason = "an identical image has another label"
    return {
        index: reason
        for component in connected([member.contents for member in members])
        if len({members[index].label for index in component}) > 1
        for index in component
    }


def _merged_groups(members: Sequence[Member], left_out: Collection[int]) -> list[str]:
    """Return groups joined wherever they share an image; a merged group has the first of their names."""
    keys = [
        (f"group {member.group}", *(() if index in left_out else member.contents))
        for index, member in enumerate(members)
    ]
    names = [""] * len(members)
    for component in connected(keys):
        name = min(members[index].group for index in component)
        for index in component:
            names[index] = name
    return names


def connected(keys: Sequence[Collection[str]]) -> list[list[int]]:
    """Return the sets of positions that are connected by common keys, each sorted, in order of their first position."""
    number_of = {key: number for number, key in enumerate(dict.fromkeys(key for each in keys for key in each))}
    rows = [row for row, each in enumerate(keys) for _ in each]
    columns = [len(keys) + number_of[key] for each in keys for key in each]
    size = len(keys) + len(number_of)
    graph = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(size, size))
    _, component_of = connected_components(graph, directed=False)
    found: dict[int, list[int]] = defaultdict(list)
    for position in range(len(keys)):
        found[int(component_of[position])].append(position)
    return list(found.values())


def _in_an_earlier_split(
    members: Sequence[Member], merged: Sequence[str], official: Sequence[str | None], left_out: Collection[int]
) -> dict[int, str]:
    """Return cases whose group or an identical image is also in a later official split, which keeps it."""
    latest: dict[str, int] = {}
    for index, split in enumerate(official):
        if split is not None and index not in left_out:
            latest[merged[index]] = max(latest.get(merged[index], 0), LATER.index(split))
    superseded = {}
    for index, split in enumerate(official):
        winner = LATER[latest.get(merged[index], 0)]
        # A case without an official split follows its group, but not out of its own source into an external one.
        if index not in left_out and (split != winner if split else winner == "external"):
            superseded[index] = f"its group or an identical image is in the {winner} split"
    return superseded


def _decide(
    members: Sequence[Member], groups: dict[str, list[int]], official: Sequence[str | None], seed: int
) -> dict[str, str]:
    """Return the split of each group: the official one, else by stratified shares within the group's source."""
    decided: dict[str, str] = {}
    free: dict[str, list[str]] = defaultdict(list)
    fixed: dict[str, list[str]] = defaultdict(list)
    for name, rows in groups.items():
        source = min(members[row].source for row in rows)
        split = next((split for row in rows if (split := official[row]) is not None), None)
        if split is None:
            free[source].append(name)
        else:
            decided[name] = split
            fixed[source].append(name)
    labels = {name: [members[row].label for row in rows] for name, rows in groups.items()}
    for names in free.values():
        decided |= _stratified(names, labels, SHARES, seed)
    for names in fixed.values():
        decided |= _held_out_from_train(names, labels, decided, seed)
    return decided


def _held_out_from_train(
    names: Sequence[str], labels: dict[str, list[str]], decided: dict[str, str], seed: int
) -> dict[str, str]:
    """Return validation or test groups from a source's official training groups, where it has none of its own."""
    present = {decided[name] for name in names}
    if "train" not in present or "external" in present:
        return {}
    missing = {split: share for split, share in SHARES.items() if split not in present}
    shares = {"train": 1 - sum(missing.values()), **missing}
    return _stratified([name for name in names if decided[name] == "train"], labels, shares, seed) if missing else {}


def _stratified(
    names: Iterable[str], labels: dict[str, list[str]], shares: dict[str, float], seed: int
) -> dict[str, str]:
    """Deal groups to splits class by class, so that each split gets its share of cases of each class.

    A group of several classes counts for the rarest of them. Two groups of a class: train and test; three: one each.
    """
    names = list(names)
    frequency = Counter(label for name in names for label in labels[name])
    strata: dict[str, list[str]] = defaultdict(list)
    for name in names:
        strata[min(labels[name], key=lambda label: (frequency[label], label))].append(name)
    dealt: dict[str, str] = {}
    for stratum in strata.values():
        # Large groups first, while every split still needs them; the seeded hash decides among equals.
        stratum.sort(key=lambda name: (-len(labels[name]), _draw(seed, name)))
        dealt |= _deal(stratum, {name: len(labels[name]) for name in stratum}, shares)
    return dealt


def _deal(stratum: Sequence[str], sizes: dict[str, int], shares: dict[str, float]) -> dict[str, str]:
    total = sum(sizes.values())
    needed = {split: share * total for split, share in shares.items()}
    dealt: dict[str, str] = {}
    for name in stratum:
        split = max(needed, key=lambda split: needed[split])
        dealt[name] = split
        needed[split] -= sizes[name]
    for split in ("test", "validation"):  # test first: with only two groups, one is for training and one for testing
        training = [name for name in stratum if dealt[name] == "train"]
        if split in shares and split not in dealt.values() and len(training) > 1:
            dealt[training[-1]] = split
    return dealt


def _draw(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()
