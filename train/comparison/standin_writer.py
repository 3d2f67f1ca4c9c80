"""A stand-in for a language model that looks at drawn lesions, and is wrong as often as it is told to be.

It writes as the prompts of `dermnote.notes.strategies` ask: M+P1 chooses from closed lists, M+P2 describes freely in
four points, and both are told the diagnosis; P3 sees the picture alone, and reads the diagnosis from it. No network,
and the same case, seed and rate give the same note. Notes of one case at two rates differ in what they claim, not in
how they say it.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dermnote.errors import NotesError
from dermnote.metadata import LesionMetadata
from dermnote.notes.schema import Note, NoteRow
from dermnote.notes.template import write_template
from dermnote.taxonomy import find_class

from ..synthetic.sampling import ASYMMETRY_WORDS, BORDER_WORDS, join
from ..synthetic.structures import STRUCTURES
from . import standin_errors
from .standin_errors import WORDING, Claims, claims_of, stream

WRITER = "stand-in"
KINDS = ("m+p1", "m+p2", "p3")
RECORDS = (
    "{record}",
    "{malignancy} lesion; diagnosis {label}, subtype {subtype}.",
    "Diagnosed as {label} ({subtype}), {malignancy}.",
)
CLOSED_FORMS = (
    "Asymmetry: {asymmetry}. Border: {border}. Colours: {colours}. Dermoscopic structures: {structures}.",
    "A) Asymmetry: {asymmetry}. B) Border: {border}. C) Colour: {joined}. D) Dermoscopic structures: {structures}.",
    "The lesion is {asymmetry}. The border is {border}. It shows {joined}; structures: {structures}.",
)
SHAPES = ("macule", "papule", "plaque", "slightly raised patch", "flat lesion", "nodule")
OPENINGS = (
    "The picture shows a {shape} diagnosed as {label}.",
    "This {shape} is recorded as {label} ({subtype}).",
    "A {shape}; the record names {label}.",
)
COLOUR_FORMS = ("Its colours are {joined}.", "{joined} can be seen in it.", "Within it one sees {joined}.")
DETAIL_FORMS = ("It holds {details}.", "Closer up: {details}.", "There are {details}.")
BORDER_FORMS = ("It has {a} {border}.", "Outline: {border}.", "The lesion ends in {a} {border}.")
SYMMETRY_FORMS = ("It is {asymmetry}.", "Overall {asymmetry}.", "Outline and colour are {asymmetry}.")
BLIND_OPENINGS = ("A lesion that is {asymmetry}, with {a} {border}.", "{border}; the lesion is {asymmetry}.")
IMPRESSIONS = (
    "Impression: {label}, {malignancy}.",
    "This favours {label}, a {malignancy} lesion.",
    "Most likely {label} ({malignancy}).",
)
MOST_DETAILS = 2  # of the structures, that the four points of M+P2 have room for


def write_notes_of(table: pd.DataFrame, strategy: str, rate: float, seed: int) -> list[NoteRow]:
    """A note for each drawn case.

    Args:
        table: Cases of drawn lesions (case_id, label, subtype, malignancy, extra).
        strategy: "m+p1", "m+p2" or "p3".
        rate: Share of wrong attributes, 0 to 1; of wrong diagnoses too for "p3".
        seed: Of errors and wording.

    Raises:
        NotesError: The strategy is none of these, or a case does not tell what was drawn.
    """
    if strategy not in KINDS:
        raise NotesError(f"The stand-in does not write '{strategy}'.", f"It writes {', '.join(KINDS)}.")
    rows = []
    for case in table[["case_id", "label", "subtype", "extra"]].itertuples(index=False):
        truth = json.loads(case.extra or "{}")
        if "structures" not in truth:
            raise NotesError(f"{case.case_id} is no drawn lesion: what it shows is not known.")
        claims = claims_of(
            case.case_id, truth, case.label, rate, seed, closed=strategy == "m+p1", blind=strategy == "p3"
        )
        text = WRITERS[strategy](claims, case.subtype or "", stream(seed, case.case_id, WORDING))
        rows.append(NoteRow(case.case_id, Note(text, strategy, model=WRITER, prompt_version=VERSION)))
    return rows


def _closed(claims: Claims, subtype: str, chance: np.random.Generator) -> str:
    record, form = _pick(chance, RECORDS), _pick(chance, CLOSED_FORMS)
    findings = form.format(
        asymmetry=claims.asymmetry,
        border=claims.border,
        colours=", ".join(claims.colours),
        joined=join(claims.colours),
        structures=", ".join(claims.structures) or "none of those asked for",
    )
    return f"{_filled(record, claims, subtype)} {findings}"


def _free(claims: Claims, subtype: str, chance: np.random.Generator) -> str:
    shape, opening = _pick(chance, SHAPES), _pick(chance, OPENINGS)
    words = _words(claims, chance)
    details = join(words["structures"][:MOST_DETAILS]) if claims.structures else ""
    parts = [
        _filled(opening, claims, subtype, shape=shape),
        _pick(chance, COLOUR_FORMS).format(joined=join(claims.colours)),
        _pick(chance, DETAIL_FORMS).format(details=details) if details else "",
        _pick(chance, BORDER_FORMS).format(a=words["a"], border=words["border"]),
        _pick(chance, SYMMETRY_FORMS).format(asymmetry=words["asymmetry"]),
    ]
    return " ".join(_sentence(part) for part in parts if part)


def _blind(claims: Claims, subtype: str, chance: np.random.Generator) -> str:
    opening = _pick(chance, BLIND_OPENINGS)
    words = _words(claims, chance)
    parts = [
        opening.format(asymmetry=words["asymmetry"], a=words["a"], border=words["border"]),
        _pick(chance, COLOUR_FORMS).format(joined=join(claims.colours)),
        _pick(chance, DETAIL_FORMS).format(details=join(words["structures"]) if claims.structures else "no structures"),
        _filled(_pick(chance, IMPRESSIONS), claims, ""),
    ]
    return " ".join(_sentence(part) for part in parts)


WRITERS: dict[str, Callable[[Claims, str, np.random.Generator], str]] = {"m+p1": _closed, "m+p2": _free, "p3": _blind}
VERSION = hashlib.sha256(
    (inspect.getsource(standin_errors) + "".join(map(inspect.getsource, WRITERS.values()))).encode()
).hexdigest()[:8]


def _words(claims: Claims, chance: np.random.Generator) -> dict[str, Any]:
    """Free words for what is claimed; the draws are the same whatever is claimed."""
    which = chance.uniform(size=2 + len(claims.structures))
    border = _at(BORDER_WORDS[claims.border], which[1])
    return {
        "asymmetry": _at(ASYMMETRY_WORDS[claims.asymmetry], which[0]),
        "border": border,
        "a": "an" if border.startswith("i") else "a",
        "structures": [
            _at(STRUCTURES[name].words, place) for name, place in zip(claims.structures, which[2:], strict=True)
        ],
    }


def _filled(form: str, claims: Claims, subtype: str, **more: str) -> str:
    found = find_class(claims.label)
    malignancy = found.malignancy if found is not None else "unclear"
    record = write_template(LesionMetadata(label=claims.label, subtype=subtype or None, malignancy=malignancy))
    said = {"record": record, "label": claims.label, "subtype": subtype or claims.label, "malignancy": malignancy}
    return form.format(**{**said, **more})


def _pick(chance: np.random.Generator, forms: Sequence[str]) -> str:
    return _at(forms, chance.uniform())


def _at(words: Sequence[str], place: float) -> str:
    return words[int(place * len(words))]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
