"""What every telling of metrics.json shares: which blocks are told, in which words, and how a figure is written."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

VERSIONS = {"masked": "diagnosis masked", "as_written": "as written"}
DIRECTIONS = {"image_to_text": "picture to note", "text_to_image": "note to picture"}
CLASSIFICATION = {
    "kappa": "kappa",
    "balanced_accuracy": "balanced accuracy",
    "macro_auroc": "macro AUROC",
    "melanoma_vs_nevus_auroc": "melanoma vs nevus AUROC",
}


def number(value: float | None, ci: Sequence[float] | None = None, *, signed: bool = False) -> str:
    """A figure to three places, with its interval if there is one; a dash if it is undefined."""
    if value is None or math.isnan(value):
        return "–"
    shape = "+.3f" if signed else ".3f"
    return f"{value:{shape}}" + (f" [{ci[0]:{shape}}, {ci[1]:{shape}}]" if ci else "")


def blocks(figures: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Split, source and figures of every block, in order; one source is not told twice.

    "all" are the photographs of a split, where it has any (see `train.evaluate`).
    """
    for split, found in figures["splits"].items():
        for source, block in found.items():
            if source != "all" or len(block["sources"]) > 1:
                yield split, source, block


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
