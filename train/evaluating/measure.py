"""The figures of one block of cases (a split, or one source of it), as plain numbers for metrics.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from train.evaluating.embedded import Embedded
from train.metrics.alignment import paired_cosine
from train.metrics.bootstrap import Statistic, interval, intervals, weighted_mean
from train.metrics.calibration import expected_calibration_error, negative_log_likelihood, softmax
from train.metrics.classification import (
    MacroAuroc,
    MelanomaAgainstNevus,
    classification_metrics,
    cohen_kappa,
    confusion_matrix,
    recalls,
)
from train.metrics.retrieval import Retrieval, mean_average_precision, recall_at

DIRECTIONS = ("image_to_text", "text_to_image")


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are drawn."""

    n_boot: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Search:
    """One direction of search for all queries of a split.

    Attributes:
        result: Average precisions, NaN for cases that asked nothing.
        recall: By k, (n,) whether the own partner is among the first k; NaN likewise.
    """

    result: Retrieval
    recall: dict[int, np.ndarray]


def search(queries: Embedded, gallery: Embedded) -> dict[str, dict[str, Search]]:
    """Every case of `queries` that has a note looks for its class among the noted cases of `gallery`, both ways.

    Args:
        queries: n cases, all of which are in the gallery too.
        gallery: m cases.

    Returns:
        By version of the notes and direction; empty if no case has a note.
    """
    if not queries.noted.any():
        return {}
    asking, shown = queries.select(queries.noted), gallery.select(gallery.noted)
    place = {case_id: row for row, case_id in enumerate(shown.table["case_id"])}
    partners = np.array([place[case_id] for case_id in asking.table["case_id"]])
    found: dict[str, dict[str, Search]] = {}
    for version, written in asking.notes.items():
        sides = {"image_to_text": (asking.image, shown.notes[version]), "text_to_image": (written, shown.image)}
        found[version] = {}
        for direction, (ask, show) in sides.items():
            result = mean_average_precision(ask, show, asking.labels, shown.labels)
            recall = recall_at(ask, show, partners)
            found[version][direction] = _over_all(result, recall, queries.noted, queries.labels)
    return found


def block(
    cases: Embedded,
    rows: np.ndarray,
    searches: dict[str, dict[str, Search]],
    *,
    temperature: float,
    classnames: Sequence[str],
    bootstrap: Bootstrap,
) -> dict[str, Any]:
    """All figures of the cases under the mask `rows` (n,) of a split's `cases`."""
    part = cases.select(rows)
    groups = part.table["group"].astype(str).to_numpy()
    cut = {version: {way: _cut(each, rows) for way, each in ways.items()} for version, ways in searches.items()}
    retrieval = alignment = None
    if cut and part.noted.any():
        retrieval = {v: {way: _retrieval(s, groups, bootstrap) for way, s in ways.items()} for v, ways in cut.items()}
        retrieval |= {
            "n_queries": int(part.noted.sum()),
            "without_note": int((~part.noted).sum()),
            "distinct_notes": {v: len(set(texts[part.noted])) for v, texts in part.texts.items()},
        }
        alignment = {version: _alignment(part, version, bootstrap) for version in part.notes}
    return {
        "n_cases": len(part),
        "n_groups": len(set(groups)),
        "classification": _classification(part, groups, temperature, classnames, bootstrap),
        "retrieval": retrieval,
        "alignment": alignment,
    }


def _classification(
    part: Embedded, groups: np.ndarray, temperature: float, classnames: Sequence[str], bootstrap: Bootstrap
) -> dict[str, Any]:
    p = softmax(part.logits, temperature)
    figures = classification_metrics(part.labels, p, classnames)
    figures["support"] = dict(
        zip(classnames, np.bincount(part.labels, minlength=len(classnames)).tolist(), strict=True)
    )
    figures["confusion"] = np.array(figures["confusion"]).astype(int).tolist()
    figures["ece"] = expected_calibration_error(p, part.labels)
    figures["ece_uncalibrated"] = expected_calibration_error(softmax(part.logits), part.labels)
    figures["negative_log_likelihood"] = negative_log_likelihood(part.logits, part.labels, temperature)
    predicted, classes = p.argmax(axis=1), len(classnames)

    def confused(weights: np.ndarray) -> np.ndarray:
        return confusion_matrix(part.labels, predicted, classes, weights)

    statistics: dict[str, Statistic] = {
        "kappa": lambda weights: cohen_kappa(confused(weights)),
        "balanced_accuracy": lambda weights: float(np.nanmean(recalls(confused(weights)))),
        "macro_auroc": MacroAuroc(part.labels, p),
        "melanoma_vs_nevus_auroc": MelanomaAgainstNevus(part.labels, p, classnames),
    }
    figures["ci"] = intervals(statistics, groups, n_boot=bootstrap.n_boot, seed=bootstrap.seed)
    return figures


def _retrieval(each: Search, groups: np.ndarray, bootstrap: Bootstrap) -> dict[str, Any]:
    asked = np.isfinite(each.recall[1])  # a case without a note asks nothing, which is not "nothing relevant"
    precision = each.result.average_precision
    mean = weighted_mean(precision)
    return {
        "map": mean(np.ones(len(precision))),
        "ci": interval(mean, groups, n_boot=bootstrap.n_boot, seed=bootstrap.seed),
        "chance": each.result.chance,
        "left_out": int(np.isnan(precision[asked]).sum()),
        "recall_of_own": {str(k): float(values[asked].mean()) for k, values in each.recall.items()},
    }


def _alignment(part: Embedded, version: str, bootstrap: Bootstrap) -> dict[str, Any]:
    groups = part.table["group"].astype(str).to_numpy()[part.noted]
    pairs = paired_cosine(part.image[part.noted], part.notes[version][part.noted])
    mean = weighted_mean(pairs.paired)
    return {
        "paired_cosine": float(pairs.paired.mean()),
        "ci": interval(mean, groups, n_boot=bootstrap.n_boot, seed=bootstrap.seed),
        "random_pairs": pairs.random_pairs,
    }


def _over_all(result: Retrieval, recall: dict[int, np.ndarray], noted: np.ndarray, labels: np.ndarray) -> Search:
    """Spreads the answers of the cases with a note over all cases, NaN elsewhere."""

    def spread(values: np.ndarray) -> np.ndarray:
        whole = np.full((len(noted), *values.shape[1:]), np.nan)
        whole[noted] = values
        return whole

    ways = Retrieval(spread(result.by_class), labels)
    return Search(ways, {k: spread(values) for k, values in recall.items()})


def _cut(each: Search, rows: np.ndarray) -> Search:
    return Search(each.result.take(rows), {k: values[rows] for k, values in each.recall.items()})
