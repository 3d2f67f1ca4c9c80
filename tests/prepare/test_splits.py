"""Splits by group: shares, invariants, official and external splits."""

import random
from collections import Counter

import pytest

from train.data.splits import SHARES, Member, assign_splits, connected


def member(
    number: int, group: int | str, label: str = "a", source: str = "one", content: str = "", split=None
) -> Member:
    return Member(source, f"{source}/{group}", label, (content or f"{source}:{number}",), split)


def many(seed: int = 0) -> list[Member]:
    """Return members of three sources with uneven classes and one to four images of each patient."""
    rng = random.Random(seed)
    members = []
    for source, count in (("one", 200), ("two", 90), ("three", 40)):
        for group in range(count):
            label = rng.choices("abcd", weights=(50, 30, 15, 5))[0]
            members += [member(len(members), group, label, source) for _ in range(rng.randint(1, 4))]
    return members


def test_shares_by_source_and_class():
    members = many()
    result = assign_splits(members, seed=3)
    for stratum in [(source, label) for source in ("one", "two") for label in "abc"]:
        pairs = zip(members, result, strict=True)
        counts = Counter(got.split for each, got in pairs if (each.source, each.label) == stratum)
        for split, share in SHARES.items():
            assert abs(counts[split] / counts.total() - share) < 0.06, (stratum, counts)


def test_no_group_is_divided_and_the_seed_decides():
    members = many()
    result = assign_splits(members, seed=1)
    assert len({(each.group, got.split) for each, got in zip(members, result, strict=True)}) == 200 + 90 + 40
    assert assign_splits(members, seed=1) == result != assign_splits(members, seed=2)


def test_neither_the_order_of_rows_nor_another_source_changes_a_split():
    members = many()
    together = dict(zip(members, assign_splits(members, seed=5), strict=True))
    shuffled = members.copy()
    random.Random(1).shuffle(shuffled)
    assert dict(zip(shuffled, assign_splits(shuffled, seed=5), strict=True)) == together
    alone = [each for each in members if each.source == "two"]
    assert assign_splits(alone, seed=5) == [together[each] for each in alone]


@pytest.mark.parametrize(
    "count, splits", [(1, {"train"}), (2, {"train", "test"}), (3, {"train", "validation", "test"})]
)
def test_classes_with_few_groups(count, splits):
    members = [member(i, i, "rare") for i in range(count)]
    assert {each.split for each in assign_splits(members)} == splits


def test_one_huge_patient_goes_to_train():
    members = [member(i, "huge") for i in range(50)] + [member(100 + i, i) for i in range(20)]
    assert assign_splits(members)[0].split == "train"


def test_identical_images_join_their_groups():
    members = [member(i, i, content=f"image {i % 30}") for i in range(60)]
    result = assign_splits(members)
    for one in range(30):
        assert result[one].split == result[one + 30].split
        assert result[one].group == result[one + 30].group == min(members[one].group, members[one + 30].group)


def test_a_chain_of_copies_and_groups_is_one_group():
    # 0 and 1 share a patient, 1 and 2 a file, 2 and 3 the pixels
    members = [
        Member("one", "one/p", "a", ("f0", "x0")),
        Member("one", "one/p", "a", ("f1", "x1")),
        Member("one", "one/q", "a", ("f1", "x2")),
        Member("one", "one/r", "a", ("f3", "x2")),
    ]
    others = [member(i, i) for i in range(40)]
    for seed in range(10):
        assert len({(each.group, each.split) for each in assign_splits(members + others, seed=seed)[:4]}) == 1


def test_identical_images_with_different_labels_are_left_out_and_do_not_join_their_patients():
    members = [member(0, "p", "a", content="x"), member(1, "q", "b", content="x")]
    members += [member(2, "p", "a"), member(3, "q", "b")]
    result = assign_splits(members)
    assert [each.split is None for each in result] == [True, True, False, False]
    assert "another label" in result[0].reason and result[1].reason == result[0].reason
    assert result[2].group != result[3].group


def test_official_splits_are_kept_and_without_a_test_part_a_share_of_train_becomes_it():
    members = [member(i, i, split=("train", "validation", "test")[i % 3]) for i in range(60)]
    assert [each.split for each in assign_splits(members)] == [each.split for each in members]
    members = [member(i, i, "ab"[i % 2], split="train" if i < 200 else "validation") for i in range(230)]
    result = assign_splits(members)
    assert {each.split for each in result[200:]} == {"validation"}
    counts = Counter((each.label, got.split) for each, got in zip(members[:200], result[:200], strict=True))
    assert counts == {("a", "train"): 85, ("a", "test"): 15, ("b", "train"): 85, ("b", "test"): 15}


def test_the_later_official_split_wins():
    members = [member(i, i, split="train") for i in range(10)]
    members += [member(20, 20, split="test", content="x"), member(21, 21, split="train", content="x")]
    members += [member(30, "p", split="validation"), member(31, "p", split="train"), member(32, "p")]
    result = assign_splits(members)
    assert [each.split for each in result[10:12]] == ["test", None]
    assert "test split" in result[11].reason
    assert [each.split for each in result[12:]] == ["validation", None, "validation"]


def test_an_external_source_stays_whole_and_wins():
    members = [member(i, i, split="train") for i in range(10)]
    members += [member(i, i, source="other") for i in range(10)]
    members += [member(50, 50, content="x"), member(51, 51, source="other", content="x")]
    result = assign_splits(members, external={"other"})
    assert all(each.split == "external" for each in (*result[10:20], result[21]))
    assert result[20].split is None
    assert "external" in result[20].reason
    assert all(each.split != "external" for each in result[:10])


def test_connected_keys_against_the_naive_way():
    rng = random.Random(0)
    keys = [[f"k{rng.randrange(60)}" for _ in range(rng.randrange(3))] for _ in range(40)]
    sets = [{i} for i in range(40)]
    for one in range(40):
        for other in range(40):
            if set(keys[one]) & set(keys[other]):
                joined = sets[one] | sets[other]
                for each in joined:
                    sets[each] = joined
    assert connected(keys) == sorted(sorted(each) for each in {frozenset(found) for found in sets})
