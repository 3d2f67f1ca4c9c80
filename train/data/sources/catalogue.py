"""What is known of each named source: `sources.yaml`, one entry a module of this folder."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from dermnote.taxonomy import EIGHT

from .raw import Source

CATALOGUE = Path(__file__).with_name("sources.yaml")


@cache
def _entries() -> dict[str, dict[str, Any]]:
    entries: dict[str, dict[str, Any]] = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
    return entries


def names() -> tuple[str, ...]:
    """The known sources, in the catalogue's order."""
    return tuple(_entries())


def source(name: str) -> Source:
    """The entry of a known source."""
    entry = dict(_entries()[name])
    classes, faults = entry.pop("classes"), entry.pop("faults")
    every = tuple(each.name for each in EIGHT)
    return Source(name, classes=every if classes == "all" else tuple(classes), faults=tuple(faults), **entry)
