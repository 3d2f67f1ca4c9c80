"""How figures, measures and differences are said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..evaluation.metric_format import DIRECTIONS, VERSIONS, number
from .differences import CLEARLY_LESS, CLEARLY_MORE, UNCLEAR

KINDS = {
    "kappa": "kappa",
    "balanced_accuracy": "balanced accuracy",
    "map": "mAP",
    "cosine": "paired cosine",
}


def measure_in_words(key: str) -> str:
    """A measure's key for a reader: "map:m:masked:image_to_text" is "mAP picture to note, diagnosis masked"."""
    kind, *rest = key.split(":")
    said = [KINDS[kind], *(DIRECTIONS[word] for word in rest if word in DIRECTIONS)]
    versions = [VERSIONS[word] for word in rest if word in VERSIONS]
    return ", ".join([" ".join(said), *versions])


def difference_in_words(where: str, told: Mapping[str, Any]) -> str:
    """One sentence on one difference, no stronger than its interval."""
    what = f"{where}: {measure_in_words(told['measure'])} of {told['first']}"
    values = f"{number(told['value'], told['ci'], signed=True)}"
    if told["verdict"] in (CLEARLY_MORE, CLEARLY_LESS):
        seeds = len(told["by_seed"])
        return f"{what} is {told['verdict']} than of {told['second']} by {values}{_seeds(seeds)}."
    if told["verdict"] == UNCLEAR:
        return f"{what} and of {told['second']}: no difference can be told, {values}."
    return f"{what} and of {told['second']}: too few patients or lesions for an interval, {values}."


def verdict_in_words(told: Mapping[str, Any]) -> str:
    """The verdict of a difference; of one seed it is no claim."""
    clear = told["verdict"] in (CLEARLY_MORE, CLEARLY_LESS)
    return f"{told['verdict']} in the one seed run" if clear and len(told["by_seed"]) == 1 else str(told["verdict"])


def _seeds(count: int) -> str:
    if count > 1:
        return f", in all {count} seeds"
    return ", one seed only: another may come out otherwise"
