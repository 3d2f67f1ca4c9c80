"""The stand-in writer: wrong as often as it is told to be, and nothing else changes."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pandas as pd
import pytest

from dermnote.audit.masking import mask_own_diagnosis
from dermnote.errors import NotesError
from dermnote.notes.schema import from_row
from dermnote.taxonomy import EIGHT
from train.comparison.standin_errors import CLOSED, claims_of
from train.comparison.standin_writer import KINDS, WRITERS, write_notes_of
from train.data.sources.drawn import attributes_of
from train.synthetic.attributes import ASYMMETRIES, BORDERS, COLOURS
from train.synthetic.sampling import ASYMMETRY_WORDS, BORDER_WORDS
from train.synthetic.structures import STRUCTURES

CLASSES = tuple(each.name for each in EIGHT)
_PHRASES = {
    *CLASSES,
    *COLOURS,
    *BORDERS,
    *ASYMMETRIES,
    *CLOSED,
    *(each.malignancy for each in EIGHT),
    *(words for each in (ASYMMETRY_WORDS, BORDER_WORDS) for said in each.values() for words in said),
    *(words for each in STRUCTURES.values() for words in each.words),
}
_BARE = sorted({phrase.removeprefix("a ").removeprefix("an ") for phrase in _PHRASES}, key=len, reverse=True)
CLAIMED = re.compile("(an? )?(" + "|".join(map(re.escape, _BARE)) + ")", re.IGNORECASE)
COUNT, SEED = 400, 5
DRAWN = [attributes_of(3, number) for number in range(COUNT)]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rows = [
        {"case_id": f"drawn/3-{i:05d}", "label": a.label, "subtype": a.subtype, "extra": json.dumps(a.to_mapping())}
        for i, a in enumerate(DRAWN)
    ]
    return pd.DataFrame(rows)


def claims(rate: float, kind: str = "m+p2", seed: int = SEED) -> list:
    return [
        claims_of(f"case {i}", a.to_mapping(), a.label, rate, seed, closed=kind == "m+p1", blind=kind == "p3")
        for i, a in enumerate(DRAWN)
    ]


def within_chance(wrong: int, stated: int, rate: float) -> bool:
    """Four standard deviations: one false alarm in 16,000."""
    return abs(wrong - rate * stated) <= 4 * math.sqrt(stated * rate * (1 - rate))


def told(kind: str, each, a) -> list[bool]:
    """Attribute by attribute, whether what is claimed was not drawn; counted apart from the writer's own tally."""
    seen = set(a.structures)
    closed = {name for name, drawn in CLOSED.items() if seen & set(drawn)}
    true = closed if kind == "m+p1" else seen
    return [
        each.asymmetry != a.asymmetry,
        each.border != a.border,
        *(colour not in a.colours for colour in each.colours),
        *(name not in true for name in each.structures),
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [0.1, 0.2, 0.4, 0.8])
def test_attributes_are_wrong_in_the_asked_share(kind: str, rate: float) -> None:
    found = claims(rate, kind)
    wrong = [flag for each, a in zip(found, DRAWN, strict=True) for flag in told(kind, each, a)]
    assert sum(each.wrong for each in found) == sum(wrong)
    assert sum(each.stated for each in found) == len(wrong)
    # of six colours few are left to be wrong with, so a little less is replaced there
    binary = [flag for each, a in zip(found, DRAWN, strict=True) for flag in told(kind, each, a)[:2]]
    assert within_chance(sum(binary), len(binary), rate)
    colours = [
        flag for each, a in zip(found, DRAWN, strict=True) for flag in told(kind, each, a)[2 : 2 + len(a.colours)]
    ]
    room = sum(min(len(a.colours), len(COLOURS) - len(a.colours)) == len(a.colours) for a in DRAWN)
    assert room > COUNT / 2 and sum(colours) <= rate * len(colours) + 4 * math.sqrt(len(colours) * rate * (1 - rate))
    if kind != "m+p1":  # forty structures: always one left
        structures = [
            flag for each, a in zip(found, DRAWN, strict=True) for flag in told(kind, each, a)[2 + len(a.colours) :]
        ]
        assert within_chance(sum(structures), len(structures), rate)


@pytest.mark.parametrize("kind", KINDS)
def test_rate_0_is_never_wrong_and_nothing_is_said_twice(kind: str) -> None:
    for each, a in zip(claims(0.0, kind), DRAWN, strict=True):
        assert not any(told(kind, each, a)) and each.wrong == 0 and each.label == a.label
    for each in claims(0.8, kind):
        assert len(set(each.structures)) == len(each.structures) and len(set(each.colours)) == len(each.colours)


def test_blind_diagnoses_are_wrong_at_the_rate_and_told_ones_never() -> None:
    for rate in (0.1, 0.4, 0.8):
        blind = sum(each.label != a.label for each, a in zip(claims(rate, "p3"), DRAWN, strict=True))
        assert within_chance(blind, COUNT, rate)
        assert all(each.label == a.label for each, a in zip(claims(rate, "m+p1"), DRAWN, strict=True))


def test_what_is_wrong_at_one_rate_is_wrong_at_a_higher_one() -> None:
    few, many = claims(0.2), claims(0.4)
    for one, other, a in zip(few, many, DRAWN, strict=True):
        if one.border != a.border:
            assert other.border != a.border
        if one.asymmetry != a.asymmetry:
            assert other.asymmetry == one.asymmetry


def test_notes_told_the_record_name_the_true_diagnosis(table: pd.DataFrame) -> None:
    for kind in ("m+p1", "m+p2"):
        for row, label in zip(write_notes_of(table, kind, 0.8, SEED), table["label"], strict=True):
            assert label in row.note.text
            assert not any(name in row.note.text for name in CLASSES if name != label)
            assert from_row(row.note.to_row(row.case_id)) == row  # the steps read it


@pytest.mark.parametrize("kind", KINDS)
def test_clean_and_corrupted_notes_share_their_wording(table: pd.DataFrame, kind: str) -> None:
    """With what is claimed taken out, the notes of a case at two rates are the same."""
    clean, corrupted = (write_notes_of(table, kind, rate, SEED) for rate in (0.0, 0.8))
    differ = [one.note.text != other.note.text for one, other in zip(clean, corrupted, strict=True)]
    assert sum(differ) > 0.8 * COUNT
    skeletons = [[CLAIMED.sub("*", row.note.text) for row in rows] for rows in (clean, corrupted)]
    assert skeletons[0] == skeletons[1]
    assert len(set(skeletons[0])) > 20  # and notes do vary


def test_the_same_seed_writes_the_same_and_another_does_not(table: pd.DataFrame) -> None:
    first, again, other = (write_notes_of(table, "m+p2", 0.2, seed) for seed in (SEED, SEED, SEED + 1))
    assert first == again
    assert sum(one != two for one, two in zip(first, other, strict=True)) > COUNT / 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_masked_note_says_nothing_of_the_class_but_its_findings(kind: str) -> None:
    """The same findings under every class give one masked text."""
    found = claims_of("x", DRAWN[0].to_mapping(), "melanoma", 0.0, 0, closed=kind == "m+p1", blind=False)
    for wording in range(12):
        texts = set()
        for label in CLASSES:
            chance = np.random.default_rng(wording)
            own = type(found)(**{**vars(found), "label": label})
            texts.add(mask_own_diagnosis(WRITERS[kind](own, "some kind", chance), label, "some kind", CLASSES))
        assert len(texts) == 1


def test_other_cases_and_strategies_are_refused(table: pd.DataFrame) -> None:
    with pytest.raises(NotesError, match="does not write 'm'"):
        write_notes_of(table, "m", 0.0, 0)
    with pytest.raises(NotesError, match="is no drawn lesion"):
        write_notes_of(table.assign(extra="{}"), "p3", 0.0, 0)
