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
from ..synthetic.describe import ASYMMETRY_WORDS, BORDER_WORDS, join
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
    if strategy not in WRITERS:
        raise NotesError(f"The stand-in does not write '{strategy}'.", f"It writes {', '.join(WRITERS)}.")
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
    return WRITERS[strategy](claims, subtype, rng)


def _closed(claims: Claims, subtype: str, rng: np.random.Generator) -> str:
    record, form = _pick(rng, "records"), _pick(rng, "closed_forms")
    findings = form.format(
        asymmetry=claims.asymmetry,
        border=claims.border,
        colours=", ".join(claims.colours),
        joined=join(claims.colours),
        structures=", ".join(claims.structures) or FORMS["no_structures"],
    )
    return f"{_fill_record(record, claims, subtype)} {findings}"


def _free(claims: Claims, subtype: str, rng: np.random.Generator) -> str:
    shape, opening = _pick(rng, "shapes"), _pick(rng, "openings")
    words = _free_words(claims, rng)
    details = join(words["structures"][:MAX_DETAILS]) if claims.structures else ""
    parts = [
        _fill_record(opening, claims, subtype, shape=shape),
        _pick(rng, "colours").format(joined=join(claims.colours)),
        _pick(rng, "details").format(details=details) if details else "",
        _pick(rng, "borders").format(**words),
        _pick(rng, "symmetries").format(**words),
    ]
    return _join_sentences(parts)


def _blind(claims: Claims, subtype: str, rng: np.random.Generator) -> str:
    opening = _pick(rng, "blind_openings")
    words = _free_words(claims, rng)
    details = join(words["structures"]) if claims.structures else "no structures"
    parts = [
        opening.format(**words),
        _pick(rng, "colours").format(joined=join(claims.colours)),
        _pick(rng, "details").format(details=details),
        _fill_record(_pick(rng, "impressions"), claims, ""),
    ]
    return _join_sentences(parts)


def _free_words(claims: Claims, rng: np.random.Generator) -> dict[str, Any]:
    """Return free words for the claims; the number of draws depends only on the number of structures."""
    asymmetry, border, *structures = rng.uniform(size=2 + len(claims.structures))
    name = _at(BORDER_WORDS[claims.border], border)
    return {
        "asymmetry": _at(ASYMMETRY_WORDS[claims.asymmetry], asymmetry),
        "border": name,
        "a": "an" if name.startswith("i") else "a",
        "structures": [
            _at(STRUCTURES[each].words, place) for each, place in zip(claims.structures, structures, strict=True)
        ],
    }


def _fill_record(form: str, claims: Claims, subtype: str, **more: str) -> str:
    found = find_class(claims.label)
    malignancy = found.malignancy if found is not None else "unclear"
    record = write_template(LesionMetadata(label=claims.label, subtype=subtype or None, malignancy=malignancy))
    return form.format(
        record=record, label=claims.label, subtype=subtype or claims.label, malignancy=malignancy, **more
    )


def _replace(true: tuple[str, ...], known: Sequence[str], rate: float, rng: np.random.Generator) -> tuple[str, ...]:
    """Replace each true value with probability `rate` by one that is not true; no value appears twice.

    Where no wrong value is left, the true value stays.
    """
    stated: list[str] = []
    for value in true:
        replaced, place = rng.uniform() < rate, rng.uniform()
        others = [each for each in known if each not in true and each not in stated]
        stated.append(_at(others, place) if replaced and others else value)
    return tuple(stated)


def _stream(seed: int, case_id: str, kind: int) -> np.random.Generator:
    """Return the random stream of one kind of decision on one case; it does not depend on the rate."""
    return np.random.default_rng([seed, zlib.crc32(case_id.encode()), kind])


def _pick(rng: np.random.Generator, name: str) -> str:
    return _at(FORMS[name], rng.uniform())


def _at(words: Sequence[str], place: float) -> str:
    return words[int(place * len(words))]


def _join_sentences(parts: Sequence[str]) -> str:
    return " ".join(part[:1].upper() + part[1:] for part in parts if part)


WRITERS = {"m+p1": _closed, "m+p2": _free, "p3": _blind}
