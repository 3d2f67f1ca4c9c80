"""The stand-in writer has the given error rate, and nothing but the claims of its notes depends on the rate."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from dermnote.audit.masking import mask_own_diagnosis
from dermnote.errors import NotesError
from dermnote.notes.schema import from_row
from dermnote.taxonomy import EIGHT
from train.comparison.standin_writer import CLOSED, Claims, draw_claims, write_standin_notes, write_text
from train.data.sources.drawn import attributes_of
from train.synthetic.attributes import ASYMMETRIES, BORDERS, COLOURS, Attributes
from train.synthetic.sampling import ASYMMETRY_WORDS, BORDER_WORDS
from train.synthetic.structures import STRUCTURES

KINDS = ("m+p1", "m+p2", "p3")
CLASSES = tuple(each.name for each in EIGHT)
PHRASES = {
    *(*CLASSES, *COLOURS, *BORDERS, *ASYMMETRIES, *CLOSED),
    *(each.malignancy for each in EIGHT),
    *(phrase for words in (ASYMMETRY_WORDS, BORDER_WORDS) for phrases in words.values() for phrase in phrases),
    *(phrase for each in STRUCTURES.values() for phrase in each.words),
}
LONGEST_FIRST = sorted({re.sub("^an? ", "", phrase) for phrase in PHRASES}, key=len, reverse=True)
CLAIMED = re.compile("(an? )?(" + "|".join(map(re.escape, LONGEST_FIRST)) + ")", re.IGNORECASE)
COUNT, SEED = 400, 5
DRAWN = [attributes_of(3, number) for number in range(COUNT)]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rows = [
        {"case_id": f"drawn/3-{i:05d}", "label": a.label, "subtype": a.subtype, "extra": json.dumps(a.to_mapping())}
        for i, a in enumerate(DRAWN)
    ]
    return pd.DataFrame(rows)


def claims(rate: float, kind: str = "m+p2") -> Iterator[tuple[Claims, Attributes]]:
    """Claims on each lesion, with its true attributes."""
    for i, true in enumerate(DRAWN):
        yield draw_claims(f"case {i}", true.to_mapping(), true.label, rate, SEED, kind), true


def errors(kind: str, found: Claims, true: Attributes) -> tuple[list[bool], list[bool], list[bool]]:
    """Return flags of wrong statements: asymmetry and border, each colour, and each structure."""
    structures = set(true.structures)
    if kind == "m+p1":
        structures = {name for name, drawn in CLOSED.items() if structures & set(drawn)}
    return (
        [found.asymmetry != true.asymmetry, found.border != true.border],
        [colour not in true.colours for colour in found.colours],
        [name not in structures for name in found.structures],
    )


def tolerance(count: int, rate: float) -> float:
    """Four standard deviations: one false alarm in 16,000."""
    return 4 * math.sqrt(count * rate * (1 - rate))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [0.1, 0.2, 0.4, 0.8])
def test_attributes_are_wrong_at_the_given_rate(kind: str, rate: float) -> None:
    groups = zip(*(errors(kind, found, true) for found, true in claims(rate, kind)), strict=True)
    binary, colours, structures = ([wrong for case in group for wrong in case] for group in groups)
    assert abs(sum(binary) - rate * len(binary)) <= tolerance(len(binary), rate)
    # Of six colours few wrong ones are left, so slightly fewer are replaced.
    assert 0.5 * rate * len(colours) <= sum(colours) <= rate * len(colours) + tolerance(len(colours), rate)
    if kind != "m+p1":  # of forty structures a wrong one is always left
        assert abs(sum(structures) - rate * len(structures)) <= tolerance(len(structures), rate)


@pytest.mark.parametrize("kind", KINDS)
def test_rate_0_has_no_errors_and_only_p3_gets_the_diagnosis_wrong(kind: str) -> None:
    for found, true in claims(0.0, kind):
        assert not any(map(any, errors(kind, found, true))) and found.label == true.label
    wrong = 0
    for found, true in claims(0.8, kind):
        assert len(set(found.structures)) == len(found.structures) and len(set(found.colours)) == len(found.colours)
        wrong += found.label != true.label
    assert abs(wrong - 0.8 * COUNT) <= tolerance(COUNT, 0.8) if kind == "p3" else wrong == 0


def test_attributes_wrong_at_one_rate_are_wrong_at_a_higher_one() -> None:
    for (few, true), (many, _) in zip(claims(0.2), claims(0.4), strict=True):
        assert few.border == true.border or many.border != true.border
        assert few.asymmetry == true.asymmetry or many.asymmetry == few.asymmetry


@pytest.mark.parametrize("kind", ["m+p1", "m+p2"])
def test_notes_given_the_record_name_the_true_diagnosis(table: pd.DataFrame, kind: str) -> None:
    for row, label in zip(write_standin_notes(table, kind, 0.8, SEED), table["label"], strict=True):
        assert label in row.note.text
        assert not any(name in row.note.text for name in CLASSES if name != label)
        assert from_row(row.note.to_row(row.case_id)) == row


@pytest.mark.parametrize("kind", KINDS)
def test_clean_and_corrupted_notes_have_the_same_wording(table: pd.DataFrame, kind: str) -> None:
    clean, corrupted = ([row.note.text for row in write_standin_notes(table, kind, rate, SEED)] for rate in (0, 0.8))
    assert sum(one != other for one, other in zip(clean, corrupted, strict=True)) > 0.8 * COUNT
    without_claims = [[CLAIMED.sub("*", text) for text in texts] for texts in (clean, corrupted)]
    assert without_claims[0] == without_claims[1] and len(set(without_claims[0])) > 20


def test_notes_are_determined_by_the_seed(table: pd.DataFrame) -> None:
    first, again, other = (write_standin_notes(table, "m+p2", 0.2, seed) for seed in (SEED, SEED, SEED + 1))
    assert first == again
    assert sum(one != two for one, two in zip(first, other, strict=True)) > COUNT / 2


@pytest.mark.parametrize("kind", KINDS)
def test_masked_notes_with_the_same_findings_are_equal_for_every_class(kind: str) -> None:
    found = draw_claims("x", DRAWN[0].to_mapping(), "melanoma", 0.0, 0, kind)
    for wording in range(12):
        texts = {
            mask_own_diagnosis(
                write_text(kind, replace(found, label=label), "some kind", np.random.default_rng(wording)),
                label,
                "some kind",
                CLASSES,
            )
            for label in CLASSES
        }
        assert len(texts) == 1


def test_other_cases_and_strategies_are_refused(table: pd.DataFrame) -> None:
    with pytest.raises(NotesError, match="does not write 'm'"):
        write_standin_notes(table, "m", 0.0, 0)
    with pytest.raises(NotesError, match="is no drawn lesion"):
        write_standin_notes(table.assign(extra="{}"), "p3", 0.0, 0)
