"""What every telling of metrics.json shares: which blocks are told, in which words, and how a figure is written."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from train.evaluating.setting import DRAWN

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
    """Split, source and figures of every block, in order; the only source of a split is not told twice.

    Older files pool photographs and drawn lesions in "all": such a block is not told.
    """
    for split, found in figures["splits"].items():
        named = [source for source in found if source != "all"]
        for source, block in found.items():
            if source == "all":
                pooled = block.get("sources", named)
                told = (len(pooled) > 1 and DRAWN not in pooled) or len(named) < 2
            else:
                told = len(named) > 1
            if told:
                yield split, source, block


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
