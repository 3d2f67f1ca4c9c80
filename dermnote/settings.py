"""Plain YAML values into typed dataclasses: every wrong key or value is one clear line."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from dermnote.errors import ConfigError

T = TypeVar("T")


def unknown_key(key: str, known: Iterable[str], where: str) -> ConfigError:
    """The error for a key nobody reads, naming the nearest one that is read."""
    nearest = difflib.get_close_matches(key, list(known), n=1, cutoff=0.0)
    return ConfigError(
        f"Unknown key '{key}' in {where}.", f"The nearest known key is '{nearest[0]}'." if nearest else ""
    )


def build(kind: type[T], values: Mapping[str, Any], where: str, prefix: str = "") -> T:
    """Makes a dataclass from a mapping; nested dataclasses from nested mappings.

    Args:
        kind: A dataclass.
        values: Values by field name; fields left out keep their defaults.
        where: File or command line, for error messages.
        prefix: Dotted name of the group these values stand in, with a final dot.

    Raises:
        ConfigError: An unknown key (the nearest is named), or a value of the wrong type or range.
    """
    hints = get_type_hints(kind)
    known = [f"{prefix}{field.name}" for field in fields(kind)]  # type: ignore[arg-type]
    for key in values:
        if key not in hints:
            raise unknown_key(f"{prefix}{key}", known, where)
    return kind(**{key: coerce(value, hints[key], f"{prefix}{key}", where) for key, value in values.items()})


def coerce(value: Any, hint: Any, key: str, where: str) -> Any:
    """A YAML value as the type the field asks for.

    YAML reads `1e-4` as a text and `no` as false; both are taken for what they plainly mean.
    """
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    for option in options:
        fits, result = _try(value, option, key, where)
        if fits:
            return result
    raise ConfigError(f"'{key}' in {where} must be {_spell(options)}, not {value!r}.")


def _try(value: Any, hint: Any, key: str, where: str) -> tuple[bool, Any]:
    if hint is type(None):
        return value is None, None
    if get_origin(hint) is Literal:
        value = "no" if value is False and "no" in get_args(hint) else value
        return isinstance(value, str) and value in get_args(hint), value
    if get_origin(hint) is tuple:
        items = [value] if isinstance(value, str) else value
        fits = isinstance(items, list | tuple) and all(isinstance(item, str) for item in items)
        return fits, tuple(items) if fits else None
    if isinstance(hint, type) and is_dataclass(hint):
        return (True, build(hint, value, where, f"{key}.")) if isinstance(value, Mapping) else (False, None)
    return _try_scalar(value, hint)


def _try_scalar(value: Any, hint: Any) -> tuple[bool, Any]:
    if hint is float and not isinstance(value, bool):
        try:
            return True, float(value)
        except (TypeError, ValueError):
            return False, None
    fits = isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
    return fits, value


def _spell(options: tuple[Any, ...]) -> str:
    names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "null"}
    said = []
    for option in options:
        if get_origin(option) is Literal:
            said.append("one of " + ", ".join(get_args(option)))
        elif get_origin(option) is tuple:
            said.append("a list of texts")
        else:
            said.append(names.get(option, "a group of settings"))
    return " or ".join(said)
