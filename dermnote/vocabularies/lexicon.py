"""Loader of the lexicon: the YAML files of this package with the words and phrases that notes use.

Notes, masking and audit read their words here. Phrases come as written; `dermnote.audit.tokens` normalises them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from dermnote.taxonomy import EIGHT

FOLDER = Path(__file__).parent
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is missing where PyYAML was built without libyaml


@dataclass(frozen=True)
class Subtype:
    """A subtype of a class.

    Attributes:
        classname: The class it belongs to.
        name: Its canonical name, as a claim gives it.
        axis: Subtypes of one class and axis exclude each other; "" excludes none.
        names: Phrases that name class and subtype at once.
        adjectives: Words that name the subtype beside any name of the class ("nodular", "NOS, dermal").
    """

    classname: str
    name: str
    axis: str = ""
    names: tuple[str, ...] = ()
    adjectives: tuple[str, ...] = ()


def read_yaml(path: Path) -> Any:
    """Return the values of a YAML file; only plain types are built.

    Raises:
        OSError: The file cannot be read.
        UnicodeDecodeError: It is not UTF-8.
        yaml.YAMLError: It is not YAML.
    """
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # both loaders are safe ones  # noqa: S506  # nosec B506


@cache
def load_lexicon(name: str) -> dict[str, Any]:
    """Return the values of `NAME.yaml`; callers share them and must not change them."""
    values: dict[str, Any] = read_yaml(FOLDER / f"{name}.yaml")
    return values


@cache
def subtypes() -> tuple[Subtype, ...]:
    """Return the subtypes of the eight classes, in order of precedence."""
    found = []
    for classname, entries in load_lexicon("subtypes").items():
        for entry in entries:
            names, adjectives = tuple(entry.get("names", ())), tuple(entry.get("adjectives", ()))
            found.append(Subtype(classname, entry["name"], entry.get("axis", ""), names, adjectives))
    return tuple(found)


@cache
def malignancy_words() -> dict[str, tuple[str, bool]]:
    """Return words for malignancy with the malignancy, and whether they only raise the question ("suspicious")."""
    return {
        word: (malignancy, suspected)
        for malignancy, words in load_lexicon("diagnoses")["malignancy"].items()
        for key, suspected in (("asserted", False), ("suspected", True))
        for word in words.get(key, ())
    }


@cache
def recorded_malignancies() -> dict[str, str]:
    """Return the malignancy that each value of a table's malignancy column stands for."""
    malignancies = load_lexicon("diagnoses")["malignancy"]
    return {value: malignancy for malignancy, words in malignancies.items() for value in words["in_tables"]}


@cache
def diagnosis_names() -> tuple[str, ...]:
    """Return all names of the eight classes and of their subtypes that are no abbreviation, longest first."""
    names = {name for each in EIGHT for name in (each.name, *each.words)}
    names.update(name for further in load_lexicon("diagnoses")["names"].values() for name in further)
    names.update(name for each in subtypes() for name in (*each.names, each.name))
    return tuple(sorted(names, key=lambda name: (-len(name), name)))


def trigger_phrases() -> list[tuple[str, str]]:
    """Return the phrases that deny, hedge, conclude or end a clause, each with the name of its effect."""
    lexicon = load_lexicon("triggers")
    return [
        (phrase, effect)
        for effect, patterns in lexicon["effects"].items()
        for pattern in patterns
        for phrase in expand(pattern.format(**lexicon["fragments"]))
    ]


def expand(pattern: str) -> list[str]:
    """Return every phrase of a pattern with alternatives: "(is|are) (|not) seen" gives four."""
    parts = [
        part.strip("()").split("|") if part.startswith("(") else [part]
        for part in re.findall(r"\([^)]*\)|[^(]+", pattern)
    ]
    return [" ".join("".join(choice).split()) for choice in product(*parts)]
