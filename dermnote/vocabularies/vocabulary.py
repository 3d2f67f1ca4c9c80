"""Vocabulary of a specialty: features with their options, and classes. Dermoscopy is built in; others are YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from dermnote.config import unknown_key
from dermnote.errors import NotesError
from dermnote.taxonomy import EIGHT, LesionClass
from dermnote.vocabularies.lexicon import FOLDER, read_yaml

CHOICES = ("one", "many")


@dataclass(frozen=True)
class Option:
    """A value of a feature.

    Attributes:
        name: As the language model must write it.
        description: Explanation sent to the language model (`means` in YAML); may be empty.
        words: Further spellings the audit recognises. Never sent, so changing them makes no note stale.
    """

    name: str
    description: str = ""
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Feature:
    """A feature to look for in an image.

    Attributes:
        name: Key in a note's findings, e.g. "colours".
        title: As a note writes it, e.g. "Dermoscopic structures".
        claim: Kind of its claims in the audit, e.g. "colour".
        many: Whether several options may hold at once.
        at_least: Smallest number of options of a feature with many.
        options: In the order they are sent.
    """

    name: str
    title: str
    claim: str
    many: bool
    at_least: int
    options: tuple[Option, ...]

    @property
    def choices(self) -> list[str]:
        """The options' names."""
        return [option.name for option in self.options]


@dataclass(frozen=True)
class Vocabulary:
    """The features and classes of a specialty.

    Attributes:
        name: Name of the vocabulary.
        picture: Description of the images, e.g. "a dermoscopic picture of one skin lesion".
        features: In the order they are sent.
        classes: Classes that a note written from the image alone may choose from.
    """

    name: str
    picture: str
    features: tuple[Feature, ...]
    classes: tuple[LesionClass, ...]

    @classmethod
    def read(cls, path: str | Path) -> Vocabulary:
        """Read a vocabulary from YAML in the format of `vocabularies/dermoscopy.yaml`.

        Raises:
            NotesError: The file is missing or not YAML, or a value is missing or wrong (which one is named).
        """
        path = Path(path)
        try:
            values = read_yaml(path)
        except (OSError, UnicodeDecodeError) as error:
            raise NotesError(f"The vocabulary {path} cannot be read.", "Give a YAML file.") from error
        except yaml.YAMLError as error:
            raise NotesError(f"The vocabulary {path} is not YAML.", "See vocabularies/dermoscopy.yaml.") from error
        return _vocabulary(values, str(path))


@cache
def dermoscopy() -> Vocabulary:
    """Return the built-in vocabulary: asymmetry, border, colours, structures, and the eight classes."""
    return Vocabulary.read(FOLDER / "dermoscopy.yaml")


def _vocabulary(values: Any, where: str) -> Vocabulary:
    _check(values, where, needed=("name", "picture", "classes"), known=("name", "picture", "features", "classes"))
    features = values.get("features") or {}
    if not isinstance(features, Mapping):
        raise NotesError(f"'features' in {where} is not a mapping of names to features.")
    return Vocabulary(
        name=_text(values["name"], "name", where),
        picture=_text(values["picture"], "picture", where),
        features=tuple(_feature(str(name), each, where) for name, each in features.items()),
        classes=EIGHT if values["classes"] == "taxonomy" else _classes(values["classes"], where),
    )


def _feature(name: str, values: Any, where: str) -> Feature:
    place = f"feature '{name}' in {where}"
    _check(values, place, needed=("options",), known=("title", "claim", "choose", "at_least", "options"))
    if not isinstance(values["options"], Mapping) or len(values["options"]) < 2:
        raise NotesError(f"'options' of {place} must be a mapping of two options or more.")
    choose = values.get("choose", "one")
    if choose not in CHOICES:
        raise NotesError(f"'choose' of {place} must be one or many, not {choose!r}.")
    at_least = values.get("at_least", 0)
    if not isinstance(at_least, int) or not 0 <= at_least <= len(values["options"]):
        raise NotesError(f"'at_least' of {place} must be a number from 0 to its number of options.")
    return Feature(
        name=name,
        title=_text(values.get("title", name.capitalize()), "title", place),
        claim=_text(values.get("claim", name), "claim", place),
        many=choose == "many",
        at_least=at_least,
        options=tuple(_option(option, each, place) for option, each in values["options"].items()),
    )


def _option(name: Any, values: Any, place: str) -> Option:
    where = f"option '{name}' of {place}"
    if name is None or isinstance(name, bool):  # YAML's reading of yes, no, on, off and null
        raise NotesError(f"{where} is not a text.", "Write it in quotes.")
    values = values or {}
    _check(values, where, needed=(), known=("means", "words"))
    description = _text(values.get("means", ""), "means", where)
    return Option(str(name), description, _texts(values.get("words", ()), "words", where))


def _classes(values: Any, where: str) -> tuple[LesionClass, ...]:
    if not isinstance(values, list) or len(values) < 2:
        raise NotesError(f"'classes' in {where} must be 'taxonomy' or a list of two classes or more.")
    found = []
    for number, each in enumerate(values, start=1):
        place = f"class {number} in {where}"
        _check(each, place, needed=("name",), known=("name", "malignancy", "description", "words"))
        texts = {key: _text(each.get(key, ""), key, place) for key in ("name", "malignancy", "description")}
        found.append(LesionClass(**texts, words=_texts(each.get("words", ()), "words", place)))
    return tuple(found)


def _check(values: Any, where: str, *, needed: tuple[str, ...], known: tuple[str, ...]) -> None:
    if not isinstance(values, Mapping):
        raise NotesError(f"{where}: not a mapping of names to values.", "See vocabularies/dermoscopy.yaml.")
    for key in values:
        if key not in known:
            error = unknown_key(str(key), list(known), where)
            raise NotesError(error.message, error.hint)
    for key in needed:
        if not values.get(key):
            raise NotesError(f"{where} lacks '{key}'.", "See vocabularies/dermoscopy.yaml.")


def _text(value: Any, key: str, where: str) -> str:
    if not isinstance(value, str):
        raise NotesError(f"'{key}' of {where} must be a text, not {value!r}.")
    return value.strip()


def _texts(values: Any, key: str, where: str) -> tuple[str, ...]:
    if not isinstance(values, list | tuple):
        raise NotesError(f"'{key}' of {where} must be a list of texts.")
    return tuple(_text(value, key, where) for value in values)
