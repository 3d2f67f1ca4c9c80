"""Sections of report.md on searches across picture and note, and on the space they share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .metric_format import DIRECTIONS, VERSIONS, blocks, number, table

OWN = ("1", "5", "10")


def retrieval(figures: Mapping[str, Any], version: str) -> str:
    """Searches of held-out cases among held-out cases."""
    rows = []
    for split, source, way, each, found in _searches(figures, version, "retrieval"):
        own = " / ".join(f"{each['recall_of_own'][k]:.2f}" for k in OWN)
        asked = f"{found['n_queries'] - each['left_out']}"
        precise = " / ".join(number(each["precision"][k]) for k in ("5", "10"))
        mean = number(each["map"], each["ci"])
        rank = f"{each['median_rank_of_own']:g} of {found['n_gallery']}"
        rows.append([split, source, way, asked, mean, number(each["chance"]), precise, own, rank])
    header = ["split", "source", "search", "queries", "mAP [95%]", "chance", "precision of the first 5 / 10"]
    header += ["own partner in first 1 / 5 / 10", "median rank of it"]
    said = f"## Retrieval, {VERSIONS[version]}\n\n{_about(figures, version)}\n\n{table(header, rows)}"
    return said + _by_subtype(figures, version)


def _searches(figures: Mapping[str, Any], version: str, gallery: str) -> list[tuple[str, str, str, Any, Any]]:
    """Split, source, direction in words, its figures and those of the block's retrieval."""
    return [
        (split, source, title, found[version][way], found)
        for split, source, block in blocks(figures)
        if (found := block[gallery])
        for way, title in DIRECTIONS.items()
    ]


def _by_subtype(figures: Mapping[str, Any], version: str) -> str:
    rows = [
        [split, source, way, told["n_queries"], number(told["map"], told["ci"]), number(told["chance"])]
        for split, source, way, each, _ in _searches(figures, version, "retrieval")
        if (told := each["by_subtype"])
    ]
    if not rows:
        return ""
    header = ["split", "source", "search", "queries", "mAP [95%]", "chance"]
    return (
        f"\n\nRelevant is what has the query's class and its subtype (queries with a subtype):\n\n{table(header, rows)}"
    )


def authors_pool(figures: Mapping[str, Any]) -> str:
    """The same searches among all cases, training cases too; "" if it was not measured."""
    rows = []
    for version, notes in VERSIONS.items():
        for split, source, way, each, found in _searches(figures, version, "retrieval_all"):
            own = " / ".join(f"{each['recall_of_own'][k]:.2f}" for k in OWN)
            mean = number(each["map"], each["ci"])
            rows.append([split, source, notes, way, found["n_gallery"], mean, number(each["chance"]), own])
    if not rows:
        return ""
    header = ["split", "source", "notes", "search", "gallery", "mAP [95%]", "chance", "own partner in first 1 / 5 / 10"]
    said = (
        "Training cases are in the gallery, as with the authors of arXiv 2511.21827. It is not the headline: what was"
    )
    return f"## Retrieval among all cases\n\n{said} trained on is found more easily.\n\n{table(header, rows)}"


def _about(figures: Mapping[str, Any], version: str) -> str:
    counted = [
        found
        for sources in figures["splits"].values()
        for source, block in sources.items()
        if source == "all" or source not in sources["all"]["sources"]
        if (found := block["retrieval"])
    ]
    n = sum(each["n_queries"] for each in counted)
    distinct = sum(each["distinct_notes"][version] for each in counted)
    without = sum(each["without_note"] for each in counted)
    said = f"Notes of strategy {figures['strategy']}: {n}, in {distinct} different text{'' if distinct == 1 else 's'}"
    said += f"; {without} cases have no such note and are left out." if without else "."
    if version == "as_written":
        return f"{said} These notes may name the class that makes an item relevant, so a high figure is nearly given."
    said += " Class names, subtypes and words for malignancy are masked: what is left is what the findings are worth."
    bare = any(each["distinct_notes"][version] * 10 <= each["n_queries"] for each in counted)
    if figures["strategy"] == "m" and bare:
        said += " Template notes without findings say nothing but the diagnosis: they are at chance by construction."
    return said


def alignment(figures: Mapping[str, Any]) -> str:
    """Cosines of pairs, and how the space is filled."""
    rows = []
    for split, source, block in blocks(figures):
        for version, each in (block["alignment"] or {}).items():
            own = number(each["paired_cosine"], each["ci"])
            space = [number(each["modality_gap"]), *(number(each["uniformity"][side]) for side in ("image", "text"))]
            rows.append([split, source, VERSIONS[version], own, number(each["random_pairs"]), *space])
    header = ["split", "source", "notes", "cosine to the own note [95%]", "to another case's note"]
    header += ["modality gap", "uniformity of pictures", "of notes"]
    said = "The gap is the distance of the mean picture from the mean note. Uniformity is 0 where all vectors are one."
    return f"## Alignment\n\n{said}\n\n{table(header, rows)}"
