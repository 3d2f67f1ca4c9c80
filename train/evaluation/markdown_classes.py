"""Sections of report.md on answers with a class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .metric_format import CLASSIFICATION, blocks, number, table

RELIABILITY = {
    "ece_uncalibrated": "calibration error before",
    "ece": "after",
    "negative_log_likelihood": "negative log-likelihood after",
    "brier": "Brier score after (0 to 2)",
}
SHORT = {"kappa": "kappa", "balanced_accuracy": "balanced accuracy", "macro_auroc": "macro AUROC"}


def classification(figures: Mapping[str, Any]) -> str:
    """From the picture alone."""
    rows = []
    for split, source, block in blocks(figures):
        told = block["classification"]
        intervals = [number(told[name], told["ci"][name]) for name in CLASSIFICATION]
        more = [number(told[name], told["ci"].get(name)) for name in ("accuracy", "macro_f1", "kappa_linear")]
        rows.append([split, source, block["n_cases"], block["n_groups"], *intervals, *more])
    header = ["split", "source", "cases", "groups", *(f"{name} [95%]" for name in CLASSIFICATION.values())]
    absent = [
        f"{split}/{source} has no {', '.join(block['classification']['classes_absent'])}"
        for split, source, block in blocks(figures)
        if block["classification"]["classes_absent"]
    ]
    note = f"\n\nMeans are over the classes present: {'; '.join(absent)}." if absent else ""
    told = table([*header, "accuracy", "macro F1 [95%]", "kappa, linear weights [95%]"], rows)
    return f"## Classification, from the picture alone\n\n{told}{note}"


def recall(figures: Mapping[str, Any]) -> str:
    """Of each class."""
    rows = [
        [split, source, *(number(block["classification"]["recall"][name]) for name in figures["classnames"])]
        for split, source, block in blocks(figures)
    ]
    return f"### Share of each class that is found\n\n{table(['split', 'source', *figures['classnames']], rows)}"


def reliability(figures: Mapping[str, Any]) -> str:
    """What the probabilities are worth."""
    rows = [
        [split, source, *(number(told[name]) for name in RELIABILITY)]
        for split, source, block in blocks(figures)
        for told in (block["classification"],)
    ]
    fitted = f"Temperature {figures['temperature']:.3f}, fitted by the run on its validation cases."
    header = ["split", "source", *RELIABILITY.values()]
    return f"## Reliability\n\n{fitted}\n\n{table(header, rows)}"


def selective(figures: Mapping[str, Any]) -> str:
    """Wrong answers as doubtful cases are left out."""
    rows, far = [], []
    for split, source, block in blocks(figures):
        told = block["selective"]
        for by in ("confidence", "distance"):
            if curve := told[by]:
                at = {round(share, 2): risk for share, risk in zip(curve["coverage"], curve["risk"], strict=True)}
                kept = [number(at[share]) for share in (0.5, 0.8, 1.0)]
                rows.append([split, source, by, *kept, number(curve["aurc"], curve["ci"])])
        if found := told["far"]:
            accuracies = [number(found["accuracy_flagged"]), number(found["accuracy_kept"])]
            far.append([split, source, f"{found['n_flagged']} of {block['n_cases']}", *accuracies])
    header = ["split", "source", "answered first", "wrong at 50%", "80%", "100% answered", "area [95%]"]
    said = "Share of wrong answers where only the surest cases, or those nearest to training cases, are answered."
    parts = ["## Leaving doubtful cases out", said, table(header, rows)]
    if far:
        parts += [
            "Flagged: farther from the training cases than 95% of the validation cases are.",
            table(["split", "source", "flagged", "accuracy of these", "of the others"], far),
        ]
    return "\n\n".join(parts)


def zero_shot(figures: Mapping[str, Any]) -> str:
    """Answers by class descriptions, with the descriptions; "" for a run without text."""
    found = [(split, source, block["zero_shot"]) for split, source, block in blocks(figures) if block["zero_shot"]]
    if not found:
        return ""
    rows = [[split, source, *_short(told)] for split, source, told in found]
    prompts = "\n".join(f'- {name}: "{text}"' for name, text in found[0][2]["prompts"].items())
    said = f"Each picture gets the class whose description lies nearest:\n\n{prompts}"
    header = ["split", "source", *(f"{name} [95%]" for name in SHORT.values())]
    return f"## Zero-shot\n\n{said}\n\n{table(header, rows)}"


def linear_probe(figures: Mapping[str, Any]) -> str:
    """Logistic regression on the picture vectors; "" if the training cases were not looked at."""
    rows = []
    for split, source, block in blocks(figures):
        for share, told in (block["linear_probe"] or {}).items():
            absent = ", ".join(told["classes_absent"]) or "none"
            rows.append([split, source, f"{share}%", told["n_groups"], told["n_train"], *_short(told), absent])
    if not rows:
        return ""
    header = ["split", "source", "training groups", "groups", "cases", *(f"{name} [95%]" for name in SHORT.values())]
    said = "Logistic regression on the frozen, standardised picture vectors. A class that is absent is never answered."
    return f"## Linear probe\n\n{said}\n\n{table([*header, 'classes absent'], rows)}"


def _short(told: Mapping[str, Any]) -> list[str]:
    return [number(told[name], (told["ci"] or {}).get(name)) for name in SHORT]
