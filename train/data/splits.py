"""Splits by group: 70% train, 15% validation, 15% test, stratified by class within each source.

What may never happen: a patient or lesion, or a picture and its byte-for-byte or pixel-for-pixel copy, on two sides.
So groups that share a picture are merged first. The result depends on the seed and on the set of cases, never on the
order of rows, and a source's split does not change when another source is added (unless the two share a picture).
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from .unions import Unions

SHARES = {"train": 0.70, "validation": 0.15, "test": 0.15}
LATER = ("train", "validation", "test", "external")  # of two sides that claim a picture, the later one keeps it


@dataclass(frozen=True)
class Member:
    """What splitting needs to know of a case.

    Attributes:
        source: Name of its source.
        group: Patient or lesion, prefixed by the source.
        label: Class name.
        contents: Hashes of its file and of its pixels, and its id in the ISIC Archive; one in common means the same
            picture.
        split: The publisher's own split, or None.
    """

    source: str
    group: str
    label: str
    contents: tuple[str, ...]
    split: str | None = None


@dataclass(frozen=True)
class Assignment:
    """Where a case goes.

    Attributes:
        split: "train", "validation", "test", "external"; None if it is left out.
        group: Its group after merging.
        reason: Why it is left out; empty if it is not.
    """

    split: str | None
    group: str
    reason: str = ""


def assign_splits(members: Sequence[Member], *, seed: int = 0, external: Collection[str] = ()) -> list[Assignment]:
    """Assigns every case to a split, in the order given.

    An official split is kept. Where it has no test (or no validation) part, a share of the source's training groups
    becomes one, so that every source has held-out groups.

    Args:
        members: The cases.
        seed: Chooses among equally good splits.
        external: Names of sources that are kept whole as the "external" split.
    """
    left_out = _contradicting(members)
    merged = _merged_groups(members, left_out)
    wishes = ["external" if member.source in external else member.split for member in members]
    left_out |= _on_the_earlier_side(members, merged, wishes, left_out)
    groups: dict[str, list[int]] = defaultdict(list)
    for index, group in enumerate(merged):
        if index not in left_out:
            groups[group].append(index)
    decided = _decide(members, groups, wishes, seed)
    result = [
        Assignment(None, merged[i], left_out[i]) if i in left_out else Assignment(decided[merged[i]], merged[i])
        for i in range(len(members))
    ]
    check_disjoint(members, result)
    return result


def check_disjoint(members: Sequence[Member], result: Sequence[Assignment]) -> None:
    """Raises AssertionError if a group or a picture is in two splits."""
    sides: dict[str, str] = {}
    for member, assignment in zip(members, result, strict=True):
        if assignment.split is None:
            continue
        for key in (f"group {member.group}", f"group {assignment.group}", *member.contents):
            if sides.setdefault(key, assignment.split) != assignment.split:
                raise AssertionError(f"{key} is in {sides[key]} and in {assignment.split}")


def _contradicting(members: Sequence[Member]) -> dict[int, str]:
    """Identical pictures with different labels: nobody can say which is right, so all of them are left out."""
    same = Unions(len(members))
    for index, member in enumerate(members):
        for content in member.contents:
            same.join_key(index, content)
    reason = "an identical picture bears another label"
    return {
        index: reason
        for component in same.components()
        if len({members[index].label for index in component}) > 1
        for index in component
    }


def _merged_groups(members: Sequence[Member], left_out: Collection[int]) -> list[str]:
    """Groups joined wherever they share a picture; a merged group bears the first of their names."""
    unions = Unions(len(members))
    for index, member in enumerate(members):
        unions.join_key(index, f"group {member.group}")
        if index not in left_out:
            for content in member.contents:
                unions.join_key(index, content)
    names = [""] * len(members)
    for component in unions.components():
        name = min(members[index].group for index in component)
        for index in component:
            names[index] = name
    return names


def _on_the_earlier_side(
    members: Sequence[Member], merged: Sequence[str], wishes: Sequence[str | None], left_out: Collection[int]
) -> dict[int, str]:
    """Cases whose official side gives way, because their group or an identical picture is also on a later side."""
    latest: dict[str, int] = {}
    for index, wish in enumerate(wishes):
        if wish is not None and index not in left_out:
            latest[merged[index]] = max(latest.get(merged[index], 0), LATER.index(wish))
    giving_way = {}
    for index, wish in enumerate(wishes):
        winner = LATER[latest.get(merged[index], 0)]
        # A case without an official side would follow its group, but not out of its own source into an external one.
        if index not in left_out and (wish != winner if wish else winner == "external"):
            giving_way[index] = f"its group or an identical picture is in the {winner} split"
    return giving_way


def _decide(
    members: Sequence[Member], groups: dict[str, list[int]], wishes: Sequence[str | None], seed: int
) -> dict[str, str]:
    """Split of each group: the official one, else by stratified shares within the group's source."""
    decided: dict[str, str] = {}
    free: dict[str, list[str]] = defaultdict(list)
    official: dict[str, list[str]] = defaultdict(list)
    for name, rows in groups.items():
        source = min(members[row].source for row in rows)
        wish = next((wish for row in rows if (wish := wishes[row]) is not None), None)
        if wish is None:
            free[source].append(name)
        else:
            decided[name] = wish
            official[source].append(name)
    labels = {name: [members[row].label for row in rows] for name, rows in groups.items()}
    for names in free.values():
        decided |= _stratified(names, labels, SHARES, seed)
    for names in official.values():
        decided |= _held_out_from_train(names, labels, decided, seed)
    return decided


def _held_out_from_train(
    names: Sequence[str], labels: dict[str, list[str]], decided: dict[str, str], seed: int
) -> dict[str, str]:
    """New validation or test groups out of a source's official training groups, where it has none of its own."""
    present = {decided[name] for name in names}
    if "train" not in present or "external" in present:
        return {}
    missing = {split: share for split, share in SHARES.items() if split not in present}
    shares = {"train": 1 - sum(missing.values()), **missing}
    return _stratified([name for name in names if decided[name] == "train"], labels, shares, seed) if missing else {}


def _stratified(
    names: Iterable[str], labels: dict[str, list[str]], shares: dict[str, float], seed: int
) -> dict[str, str]:
    """Deals groups to splits class by class, so that each split gets its share of cases of each class.

    A group of several classes counts for the rarest of them. Two groups of a class: train and test; three: one each.
    """
    names = list(names)
    frequency = Counter(label for name in names for label in labels[name])
    strata: dict[str, list[str]] = defaultdict(list)
    for name in names:
        strata[min(labels[name], key=lambda label: (frequency[label], label))].append(name)
    dealt: dict[str, str] = {}
    for stratum in strata.values():
        # Large groups first, while every split has room for them; among equals the seeded hash decides.
        stratum.sort(key=lambda name: (-len(labels[name]), _draw(seed, name)))
        dealt |= _deal(stratum, {name: len(labels[name]) for name in stratum}, shares)
    return dealt


def _deal(stratum: Sequence[str], sizes: dict[str, int], shares: dict[str, float]) -> dict[str, str]:
    total = sum(sizes.values())
    room = {split: share * total for split, share in shares.items()}
    dealt: dict[str, str] = {}
    for name in stratum:
        split = max(room, key=lambda split: room[split])
        dealt[name] = split
        room[split] -= sizes[name]
    for split in ("test", "validation"):  # test first: with only two groups, one is for learning and one for testing
        training = [name for name in stratum if dealt[name] == "train"]
        if split in shares and split not in dealt.values() and len(training) > 1:
            dealt[training[-1]] = split
    return dealt


def _draw(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()
