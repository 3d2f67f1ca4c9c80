"""What the hallucination study found: curves over the rate of errors, relative losses, and the sentence they allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .cell_results import Measure, Runs
from .cells import Cell, LeftOut
from .grid_report import searches
from .hallucination import CLEAN, CORRUPTED, rate_name, study_facts
from .plan import IMAGE_ONLY, StudyPlan

KAPPA = Measure("kappa")
# 97.5% points of Student's t by degrees of freedom, for intervals over a few seeds.
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


def collect_study(
    plan: StudyPlan, cells: Sequence[Cell], runs: Mapping[str, Runs], left_out: Sequence[LeftOut]
) -> dict[str, Any]:
    """Everything that the tables and the plot of the study tell.

    Args:
        plan: Of the study.
        cells: All of its cells.
        runs: By cell name, what is finished.
        left_out: Cells that were not run or failed.
    """
    points = [point for kind in plan.kinds for rate in plan.rates for point in _points(kind, rate, runs)]
    without = runs.get(f"drawn/{IMAGE_ONLY}")
    some = next(iter(runs.values()), None)
    mask = None if some is None else some.rows["all"]
    return {
        **study_facts(plan),
        "cells": [
            {"name": cell.name, "seeds": list(runs[cell.name].tables) if cell.name in runs else []} for cell in cells
        ],
        "left_out": [vars(each) for each in left_out],
        "n_cases": 0 if some is None or mask is None else int(mask.sum()),
        "device": None if some is None else next(iter(some.facts.values()))["device"],
        "image_only": None if without is None else {"by_seed": without.values(KAPPA, without.rows["all"])},
        "points": points,
        "losses": [loss for kind in plan.kinds for loss in losses(points, kind, plan.rates[0], plan.rates[-1])],
    }


def _points(kind: str, rate: float, runs: Mapping[str, Runs]) -> list[dict[str, Any]]:
    found = runs.get(f"{kind}/{rate_name(rate)}")
    if found is None:
        return []
    mask = found.rows["all"]
    points = []
    for measure in (KAPPA, *(each for name in (CLEAN, CORRUPTED) for each in searches(name))):
        chance = [0.0] * len(found.tables)
        if measure.kind != "kappa":
            key = measure.direction if measure.kind == "map" else "random_pairs"
            chance = [facts["queries"][measure.queries][measure.version]["all"][key] for facts in found.facts.values()]
        points.append(
            {
                "kind": kind,
                "rate": rate,
                "measure": measure.key,
                "seeds": list(found.tables),
                "by_seed": list(found.values(measure, mask)),
                "chance_by_seed": chance,
            }
        )
    return points


def losses(points: Sequence[Mapping[str, Any]], kind: str, first: float, last: float) -> list[dict[str, Any]]:
    """Relative losses from one rate to another, of what a measure has above chance, and each beside that of kappa.

    The loss is 1 - (last - chance) / (first - chance), seed by seed: 0 is no loss, 1 is all that was above chance.

    Args:
        points: Of all kinds.
        kind: Of notes.
        first: Rate that is compared with.
        last: Rate that is compared.
    """
    at = {(each["rate"], each["measure"]): each for each in points if each["kind"] == kind}
    reference = _loss(at, KAPPA.key, first, last)
    told = []
    for measure in (KAPPA, *(each for name in (CLEAN, CORRUPTED) for each in searches(name))):
        found = _loss(at, measure.key, first, last)
        if not found:
            continue
        more = {seed: found[seed] - reference[seed] for seed in found if seed in reference}
        told.append(
            {
                "kind": kind,
                "measure": measure.key,
                "loss": mean_and_interval(list(found.values())),
                "more_than_kappa": None if measure == KAPPA else mean_and_interval(list(more.values())),
            }
        )
    return told


def _loss(
    at: Mapping[tuple[float, str], Mapping[str, Any]], measure: str, first: float, last: float
) -> dict[int, float]:
    """By seed; none where a rate is missing. A seed with nothing above chance at the first rate has nothing to lose."""
    start, end = at.get((first, measure)), at.get((last, measure))
    if start is None or end is None:
        return {}
    above = [_above(each) for each in (start, end)]
    return {seed: 1 - above[1][seed] / value for seed, value in above[0].items() if seed in above[1] and value > 0}


def _above(point: Mapping[str, Any]) -> dict[int, float]:
    triples = zip(point["seeds"], point["by_seed"], point["chance_by_seed"], strict=True)
    return {seed: value - chance for seed, value, chance in triples}


def mean_and_interval(values: Sequence[float]) -> dict[str, Any]:
    """Mean over seeds and its 95% interval by Student's t; no interval for a single seed."""
    known = np.array([value for value in values if np.isfinite(value)])
    if len(known) < 2:
        return {"mean": float(known[0]) if len(known) else None, "ci": None, "n": len(known)}
    reach = STUDENT[min(len(known) - 2, len(STUDENT) - 1)] * known.std(ddof=1) / np.sqrt(len(known))
    mean = float(known.mean())
    return {"mean": mean, "ci": [mean - float(reach), mean + float(reach)], "n": len(known)}
