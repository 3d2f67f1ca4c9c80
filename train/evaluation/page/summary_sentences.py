"""What the figures say, in plain words and no further than they carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..metric_format import number

GRADES = ((0.2, "little better than chance"), (0.4, "fair"), (0.6, "moderate"), (0.8, "substantial"), (1.01, "high"))


def summary(block: Mapping[str, Any]) -> list[str]:
    """Sentences on one block, each one figure with its interval."""
    told = block["classification"]
    said = [_agreement(told, block)]
    if told["melanoma_vs_nevus_auroc"] is not None:
        share = number(told["melanoma_vs_nevus_auroc"], told["ci"]["melanoma_vs_nevus_auroc"])
        said.append(f"Of a melanoma and a nevus it finds the melanoma the likelier one with a chance of {share}.")
    said.append(_sureness(told))
    if block["retrieval"]:
        said += [_search(block["retrieval"]["masked"][way], title) for way, title in WAYS.items()]
    groups = block.get("groups") or {}
    said += [each for name, found in groups.items() if (each := _gap(name, found))]
    return said


WAYS = {"image_to_text": "From a picture to notes", "text_to_image": "From a note to pictures"}


def _agreement(told: Mapping[str, Any], block: Mapping[str, Any]) -> str:
    if told["kappa"] is None:
        return f"{block['n_cases']} cases; agreement with the recorded class cannot be told."
    grade = next(words for limit, words in GRADES if told["kappa"] < limit)
    found = number(told["kappa"], told["ci"]["kappa"])
    return (
        f"On {block['n_cases']} cases of {block['n_groups']} patients or lesions it agrees with the recorded class to"
        f" a kappa of {found} (0 is chance, 1 is perfect): {grade}."
    )


def _sureness(told: Mapping[str, Any]) -> str:
    gap = told["ece"]
    if gap is None:
        return "How far its probabilities can be trusted is not known."
    return f"Its probabilities are off by {gap:.2f} on average (calibration error; 0 is perfect)."


def _search(each: Mapping[str, Any], title: str) -> str:
    if each["map"] is None:
        return f"{title}, diagnosis masked: not measured."
    chance, ends = each["chance"], each["ci"]
    if chance is None or ends is None:
        judged = ""
    elif ends[0] > chance:
        judged = ", above chance"
    elif ends[1] < chance:
        judged = ", below chance"
    else:
        judged = ", not told from chance"
    beside = "" if chance is None else f" where chance is {chance:.3f}"
    return f"{title}, diagnosis masked: mean average precision {number(each['map'], ends)}{beside}{judged}."


def _gap(name: str, found: Mapping[str, Any]) -> str:
    """A sentence where a gap between groups is told from nought."""
    gap = ((found or {}).get("gap") or {}).get("kappa") or {}
    if gap.get("value") is None or not gap.get("ci") or gap["ci"][0] <= 0:
        return ""
    behind = number(gap["value"], gap["ci"])
    return f"By {name.replace('_', ' ')} it does worst for {found['worst']['kappa']}: {behind} kappa behind the best."
