"""Catalogue of the known sources (`sources.yaml`): their terms, their layouts, and the page that lists them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from dermnote.taxonomy import EIGHT

from . import image_folder
from .raw_case import Source
from .table_reader import Layout

CATALOGUE = Path(__file__).with_name("sources.yaml")
WIDTH, INDENT = 100, 12  # characters of a line, and of the names of fields
ALL_CLASSES = f"The eight classes: {', '.join(each.name for each in EIGHT)}."
OWN_FOLDERS = f"""Any other name is a folder of your own, with {" or ".join(image_folder.TABLES)}.
Licences are those of the images; "other" means terms of their own, given at their address.
Research use only, never a diagnosis."""


@cache
def entries() -> dict[str, dict[str, Any]]:
    """Return the entries of `sources.yaml` by name, in its order."""
    entries: dict[str, dict[str, Any]] = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
    return entries


def source(name: str) -> Source:
    """Return a known source."""
    entry = {key: value for key, value in entries()[name].items() if key not in ("read", "authors_lists")}
    classes, issues = entry.pop("classes"), entry.pop("known_issues")
    every = tuple(each.name for each in EIGHT)
    return Source(name, classes=every if classes == "all" else tuple(classes), known_issues=tuple(issues), **entry)


def authors_lists(name: str) -> list[str]:
    """Return the folders of a source's lists among the split files of the authors; empty without any."""
    return list(entries().get(name, {}).get("authors_lists", ()))


@cache
def layouts(name: str) -> tuple[Layout, ...]:
    """Return the alternative layouts of a known source's folder."""
    read = entries()[name].get("read", [])
    found: list[Layout] = []
    for each in [read] if isinstance(read, dict) else read:
        found += layouts(each["like"]) if "like" in each else [Layout(**each)]
    return tuple(found)


def listing() -> str:
    """Return a page with every known source: modality, classes, licence, address, known issues; 100 columns wide."""
    pages = ["\n".join(_page(source(name))) for name in entries()]
    return "\n\n".join([*pages, "\n".join([*textwrap.wrap(ALL_CLASSES, WIDTH), OWN_FOLDERS])])


def _page(about: Source) -> Iterator[str]:
    yield f"{about.name} - {about.title}"
    yield from _field("images", about.modality)
    yield from _field("classes", "all eight" if len(about.classes) == len(EIGHT) else ", ".join(about.classes))
    yield from _field("licence", about.licence)
    yield from _field("from", about.where)
    yield from _field("cite", about.citation)
    yield from _field("looks for", about.layout)
    for number, issue in enumerate(about.known_issues):
        yield from _field("" if number else "mind", f"- {issue}", hanging=2)


def _field(name: str, value: str, hanging: int = 0) -> list[str]:
    first, later = f"  {name:<{INDENT - 2}}", " " * (INDENT + hanging)
    return textwrap.wrap(
        value, WIDTH, initial_indent=first, subsequent_indent=later, break_long_words=False, break_on_hyphens=False
    )
