"""Typed settings from plain JSON or YAML values, and the published model's `config.json`."""

from __future__ import annotations

import difflib
import json
import math
import types
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from dermnote.errors import BundleError, ConfigError, IndexQueryError

T = TypeVar("T")
FORMAT_VERSION = 1
_TYPE_NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "null"}


def unknown_key(key: str, known: Iterable[str], where: str) -> ConfigError:
    """Return the error for an unknown key, which names the nearest known one."""
    nearest = difflib.get_close_matches(key, list(known), n=1, cutoff=0.0)
    return ConfigError(
        f"Unknown key '{key}' in {where}.", f"The nearest known key is '{nearest[0]}'." if nearest else ""
    )


def build(kind: type[T], values: Mapping[str, Any], where: str, prefix: str = "") -> T:
    """Build a dataclass from a mapping, nested ones from nested mappings; omitted fields keep their defaults.

    Args:
        kind: The dataclass.
        values: Values by field name.
        where: File or command line, for error messages.
        prefix: Dotted name of the enclosing group, with a final dot.

    Raises:
        ConfigError: An unknown key (the message names the nearest), or a value of the wrong type or range.
    """
    hints = get_type_hints(kind)
    known = [f"{prefix}{field.name}" for field in fields(kind)]  # type: ignore[arg-type]
    for key in values:
        if key not in hints:
            raise unknown_key(f"{prefix}{key}", known, where)
    return kind(**{key: coerce(value, hints[key], f"{prefix}{key}", where) for key, value in values.items()})


def coerce(value: Any, hint: Any, key: str, where: str) -> Any:
    """Convert a YAML value to a field's type; YAML reads `1e-4` as a text and `no` as false, which are converted too.

    Raises:
        ConfigError: The value does not fit the type.
    """
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    for option in options:
        fits, result = _convert(value, option, key, where)
        if fits:
            return result
    raise ConfigError(f"'{key}' in {where} must be {' or '.join(map(_type_name, options))}, not {value!r}.")


def _convert(value: Any, hint: Any, key: str, where: str) -> tuple[bool, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is type(None):
        return value is None, None
    if hint is Any:
        return True, value
    if origin is Literal:
        value = "no" if value is False and "no" in arguments else value
        return isinstance(value, str) and value in arguments, value
    if origin is tuple:
        listed = value if isinstance(value, list | tuple) else [value]
        items = [_convert(item, arguments[0], key, where) for item in listed]
        return all(fits for fits, _ in items), tuple(item for _, item in items)
    if origin is Mapping:
        kind, groups = arguments[1], {} if value is None else value
        if not isinstance(groups, Mapping):
            return False, None
        if is_dataclass(kind):  # an entry without a value has all defaults
            groups = {name: {} if each is None else each for name, each in groups.items()}
        return True, {str(name): coerce(each, kind, f"{key}.{name}", where) for name, each in groups.items()}
    if isinstance(hint, type) and is_dataclass(hint):
        return (True, build(hint, value, where, f"{key}.")) if isinstance(value, Mapping) else (False, None)
    if hint is float and not isinstance(value, bool):
        try:
            return True, float(value)
        except (TypeError, ValueError):
            return False, None
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool)), value


def _type_name(option: Any) -> str:
    if get_origin(option) is Literal:
        return "one of " + ", ".join(get_args(option))
    if get_origin(option) is tuple:
        item = get_args(option)[0]
        return "a list of " + {str: "texts", int: "whole numbers", float: "numbers"}.get(item, _type_name(item))
    return _TYPE_NAMES.get(option, "a group of settings")


@dataclass(frozen=True)
class DermNoteConfig:
    """Contents of a bundle's `config.json`. The encoders keep their own settings in their own folders.

    Attributes:
        classnames: Class names; the position is the class id the classifier predicts.
        embed_dim: Width of the shared embedding.
        temperature: Divides the logits before softmax; fitted on validation cases, else 1.0.
        strategies: Note strategies the text branch was trained on; empty for an image-only model.
        sources: Names of the data sources trained on.
        licence: Licence of the weights (an SPDX id in the Hub's spelling).
        gallery: One sentence on the contents of the index, shown wherever hits are shown.
        fingerprint: sha256 over all weights; must equal the index's.
        format_version: Layout of the bundle.
    """

    classnames: tuple[str, ...] = ()
    embed_dim: int = 128
    temperature: float = 1.0
    strategies: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    licence: str = "other"
    gallery: str = ""
    fingerprint: str = ""
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        for name in ("classnames", "strategies", "sources"):  # JSON has no tuples
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not self.classnames:
            raise ConfigError("A model needs at least one class name.")
        if self.embed_dim < 1:
            raise ConfigError(f"embed_dim must be at least 1, not {self.embed_dim}.")
        if not 0 < self.temperature < math.inf:  # nor NaN, which Python's JSON parser accepts
            raise ConfigError(f"temperature must be above 0, not {self.temperature}.")

    @property
    def multimodal(self) -> bool:
        """True for a model with a text branch."""
        return bool(self.strategies)

    def class_id(self, label: str) -> int:
        """Return the id of a class.

        Raises:
            IndexQueryError: The model has no such class.
        """
        if label not in self.classnames:
            raise IndexQueryError(f"The model has no class '{label}'.", f"Its classes: {', '.join(self.classnames)}.")
        return self.classnames.index(label)

    @classmethod
    def load(cls, path: str | Path) -> DermNoteConfig:
        """Read `config.json`.

        Raises:
            BundleError: The file is missing, is not JSON, has another format, or an unknown key or invalid value.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise BundleError(f"{path} is missing.", "Is this a DermNote bundle?") from error
        except ValueError as error:
            raise BundleError(f"{path} is not valid JSON ({error}).") from error
        if not isinstance(values, dict):
            raise BundleError(f"{path} does not hold a JSON object.")
        version = values.get("format_version")
        if version != FORMAT_VERSION:
            raise BundleError(
                f"{path} has bundle format {version}; this DermNote reads format {FORMAT_VERSION}.",
                "Install the DermNote version that the bundle's card names.",
            )
        try:
            return build(cls, values, str(path))
        except ConfigError as error:
            raise BundleError(error.message, error.hint) from error

    def save(self, path: str | Path) -> None:
        """Write `config.json`, with stable key order and a final newline."""
        Path(path).write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
