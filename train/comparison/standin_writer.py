"""Stand-in for an LLM that describes drawn lesions with a given error rate.

Its notes follow the prompts of `dermnote.notes.strategies`: M+P1 chooses from closed lists and M+P2 describes freely in
four points, both given the diagnosis; P3 sees the image alone and reads the diagnosis from it. No network; the same
case, seed and rate give the same note. Notes of a case at two rates differ in their claims, not in their wording.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from dermnote.errors import NotesError
from dermnote.metadata import LesionMetadata
from dermnote.notes.schema import Note, NoteRow
from dermnote.notes.template import write_template
from dermnote.taxonomy import EIGHT, find_class

from ..synthetic.attributes import ASYMMETRIES, BORDERS, COLOURS
from ..synthetic.sampling import ASYMMETRY_WORDS, BORDER_WORDS, join
from ..synthetic.structures import STRUCTURES

VERSION = "a003d401"  # change it with any change to the notes: runs trained on other notes are not reused
ERRORS, DIAGNOSIS, WORDING = range(3)  # random streams
FORMS = yaml.safe_load(Path(__file__).with_name("standin_notes.yaml").read_text(encoding="utf-8"))
CLOSED: dict[str, list[str]] = FORMS["closed_list"]
MAX_DETAILS = 2  # structures that the four points of M+P2 have room for


@dataclass(frozen=True)
class Claims:
    """Statements of a note: attributes of `train.synthetic`, structures perhaps by the closed list."""

    asymmetry: str
    border: str
    colours: tuple[str, ...]
    structures: tuple[str, ...]
    label: str  # diagnostic class


def write_standin_notes(table: pd.DataFrame, strategy: str, rate: float, seed: int) -> list[NoteRow]:
    """Return a note for each drawn case.

    Args:
        table: Cases of drawn lesions (case_id, label, subtype, extra).
        strategy: "m+p1", "m+p2" or "p3".
        rate: Share of wrong attributes, 0 to 1; of wrong diagnoses too for "p3".
        seed: Of errors and wording.

    Raises:
        NotesError: The strategy is none of these, or the attributes of a case are unknown.
    """
    if strategy not in FORMS["notes"]:
        raise NotesError(f"The stand-in does not write '{strategy}'.", f"It writes {', '.join(FORMS['notes'])}.")
    rows = []
    for case in table[["case_id", "label", "subtype", "extra"]].itertuples(index=False):
        truth = json.loads(case.extra or "{}")
        if "structures" not in truth:
            raise NotesError(f"{case.case_id} is no drawn lesion: its attributes are unknown.")
        claims = draw_claims(case.case_id, truth, case.label, rate, seed, strategy)
        text = write_text(strategy, claims, case.subtype or "", _stream(seed, case.case_id, WORDING))
        rows.append(NoteRow(case.case_id, Note(text, strategy, model="stand-in", prompt_version=VERSION)))
    return rows


def draw_claims(case_id: str, truth: Mapping[str, Any], label: str, rate: float, seed: int, strategy: str) -> Claims:
    """Return the claims of a note on a case.

    Each attribute (asymmetry, border, every colour, every structure) is replaced by a wrong one with probability
    `rate`, independent of the others. Attributes wrong at one rate are wrong at every higher rate.

    Args:
        case_id: Of the case.
        truth: Drawn attributes (`train.synthetic.attributes.Attributes.to_mapping`).
        label: True diagnosis.
        rate: Share of wrong attributes, 0 to 1.
        seed: Of the errors.
        strategy: "m+p1" names structures by the closed list; "p3" gets the diagnosis wrong at the same rate.
    """
    rng = _stream(seed, case_id, ERRORS)
    structures, known = tuple(truth["structures"]), tuple(STRUCTURES)
    if strategy == "m+p1":
        structures = tuple(name for name, drawn in CLOSED.items() if set(drawn) & set(structures))
        known = tuple(CLOSED)
    (asymmetry,) = _replace((truth["asymmetry"],), ASYMMETRIES, rate, rng)
    (border,) = _replace((truth["border"],), BORDERS, rate, rng)
    colours = _replace(tuple(truth["colours"]), COLOURS, rate, rng)
    structures = _replace(structures, known, rate, rng)
    if strategy == "p3":
        (label,) = _replace((label,), [each.name for each in EIGHT], rate, _stream(seed, case_id, DIAGNOSIS))
    return Claims(asymmetry, border, colours, structures, label)


def write_text(strategy: str, claims: Claims, subtype: str, rng: np.random.Generator) -> str:
    """Return the text of a note.

    Args:
        strategy: "m+p1", "m+p2" or "p3".
        claims: Its statements.
        subtype: Of the record; "" if unknown.
        rng: Chooses the wording; the draws do not depend on the claims.
    """
    closed, free = strategy == "m+p1", strategy == "m+p2"
    values = _values(claims, "" if strategy == "p3" else subtype)
    first, *rest = FORMS["notes"][strategy]
    if free:
        values["shape"] = _pick(FORMS["shapes"], rng.uniform())
    forms = [_pick(FORMS[first], rng.uniform())]
    if not closed:
        structures = _use_free_words(values, claims, rng)
        no_details = "" if free else "no structures"
        values["details"] = join(structures[: MAX_DETAILS if free else None]) if structures else no_details
    forms += [_pick(FORMS[name], rng.uniform()) for name in rest if name != "details" or values["details"]]
    parts = [form.format(**values) for form in forms]
    return " ".join(part if closed else part[:1].upper() + part[1:] for part in parts)


def _values(claims: Claims, subtype: str) -> dict[str, str]:
    """Return the values of all forms, as in the record and the closed lists."""
    found = find_class(claims.label)
    malignancy = found.malignancy if found is not None else "unclear"
    record = LesionMetadata(label=claims.label, subtype=subtype or None, malignancy=malignancy)
    return {
        "record": write_template(record),
        "label": claims.label,
        "subtype": subtype or claims.label,
        "malignancy": malignancy,
        "asymmetry": claims.asymmetry,
        "border": claims.border,
        "colours": ", ".join(claims.colours),
        "joined": join(claims.colours),
        "structures": ", ".join(claims.structures) or FORMS["no_structures"],
    }


def _use_free_words(values: dict[str, str], claims: Claims, rng: np.random.Generator) -> list[str]:
    """Replace closed terms by free words, and return those of the structures.

    The number of draws depends only on the number of structures.
    """
    asymmetry, border, *structures = rng.uniform(size=2 + len(claims.structures))
    values["asymmetry"] = _pick(ASYMMETRY_WORDS[claims.asymmetry], asymmetry)
    values["border"] = _pick(BORDER_WORDS[claims.border], border)
    values["a"] = "an" if values["border"].startswith("i") else "a"
    return [_pick(STRUCTURES[each].words, place) for each, place in zip(claims.structures, structures, strict=True)]


def _replace(true: tuple[str, ...], known: Sequence[str], rate: float, rng: np.random.Generator) -> tuple[str, ...]:
    """Replace each true value with probability `rate` by one that is not true; no value appears twice.

    Where no wrong value is left, the true value stays.
    """
    stated: list[str] = []
    for value in true:
        replaced, place = rng.uniform() < rate, rng.uniform()
        others = [each for each in known if each not in true and each not in stated]
        stated.append(_pick(others, place) if replaced and others else value)
    return tuple(stated)


def _stream(seed: int, case_id: str, kind: int) -> np.random.Generator:
    """Return the random stream of one kind of decision on one case; it does not depend on the rate."""
    return np.random.default_rng([seed, zlib.crc32(case_id.encode()), kind])


def _pick(words: Sequence[str], place: float) -> str:
    return words[int(place * len(words))]
