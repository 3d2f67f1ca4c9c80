"""Settings of the command line, laid over those of a file."""

from __future__ import annotations

from typing import Any

import yaml

from dermnote.errors import ConfigError


def apply_overrides(values: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    """Lays `key=value` settings of the command line over the values of a file; `a.b=value` reaches into a group."""
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {override} is not key=value.", "For example: --set epochs=3")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {override} has a value that is not YAML.") from error
        *groups, last = key.strip().split(".")
        target = values
        for group in groups:
            if not isinstance(target.get(group), dict):
                target[group] = {}  # a group that was switched off (null, false) starts from its defaults
            target = target[group]
        target[last] = value
    return values
