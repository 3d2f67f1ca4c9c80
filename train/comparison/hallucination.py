"""Hallucination study: effect of wrong statements in notes on alignment and classification, on drawn lesions.

Every attribute of a drawn lesion is known, so notes can be written with a given error rate. At each rate a model is
trained on such notes and tested on other drawn lesions, with clean and with equally corrupted query notes. Classes are
predicted from the image alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dermnote.notes.schema import write_notes
from dermnote.storage import sha256_of

from ..data.cases import Cases
from .plan import IMAGE_ONLY, Cell, Recipe, StudyPlan, train_configs, training_cost
from .results import KAPPA, CellRuns, Measure, retrieval_measures
from .runner import Job
from .standin_writer import VERSION, write_standin_notes

CLEAN, CORRUPTED = "clean", "corrupted"
MEASURES: tuple[Measure, ...] = (KAPPA, *retrieval_measures(CLEAN), *retrieval_measures(CORRUPTED))
TRAIN_SHARE = 0.7  # of the drawn cases, as split by train.prepare
TRAIN_SEED, HELD_OUT_SEED = 0, 1  # of the drawing


def study_cells(plan: StudyPlan) -> list[Cell]:
    """Return the image-only cell, and one for each kind of notes at each rate."""
    without = Cell("drawn", IMAGE_ONLY, train_configs(plan, Recipe(multimodal=False), IMAGE_ONLY), ())
    noted = [
        Cell(
            kind,
            rate_name(rate),
            train_configs(plan, Recipe(strategies=(kind,)), rate_name(rate)),
            (CLEAN, CORRUPTED),
        )
        for rate in plan.rates
        for kind in plan.kinds
    ]
    return [without, *noted]


def rate_name(rate: float) -> str:
    """Return the name of a rate's cells, such as "rate-40"."""
    return f"rate-{100 * rate:g}"


def draw_lesions(plan: StudyPlan, out: Path) -> dict[str, Cases]:
    """Return the lesions to train on ("cases") and to test on ("held_out"), drawn if they are not there yet."""
    from .. import prepare

    prepare.main([f"drawn={plan.drawn},seed={TRAIN_SEED}", "--out", str(out / "cases")])
    prepare.main([f"drawn={plan.held_out},seed={HELD_OUT_SEED}", "--external", "drawn", "--out", str(out / "held_out")])
    return {name: Cases.read(out / name) for name in ("cases", "held_out")}


def study_jobs(plan: StudyPlan, cells: Sequence[Cell], out: Path, *, write: bool = True) -> list[Job]:
    """Return the trainings of these cells; draws the lesions and writes the notes.

    Args:
        plan: Of the study.
        cells: Cells to run.
        out: Folder of the comparison.
        write: False draws and writes nothing; then no training counts as finished.
    """
    n_train, inputs, lesions = round(TRAIN_SHARE * plan.drawn), {}, pd.DataFrame()
    if write:
        tables = {name: cases.table for name, cases in draw_lesions(plan, out).items()}
        n_train = int((tables["cases"]["split"] == "train").sum())
        inputs = {"cases": _digest(tables["cases"]), "measured": _digest(tables["held_out"])}
        lesions = pd.concat(tables.values(), ignore_index=True)
    rates = {rate_name(rate): rate for rate in plan.rates}

    @cache
    def notes_at(kind: str, rate: float, seed: int) -> Path:
        path = out / "notes" / f"{kind}-{rate_name(rate)}-seed-{seed}.jsonl"
        if write:
            write_notes(path, write_standin_notes(lesions, kind, rate, seed))
        return path

    def job(cell: Cell, seed: int) -> Job:
        notes, queries = None, {}
        if cell.config.multimodal:
            kind = cell.partition
            notes = notes_at(kind, rates[cell.recipe], seed)
            files = {CLEAN: notes_at(kind, 0.0, seed), CORRUPTED: notes}
            queries = {name: {"notes": str(path), "strategy": kind} for name, path in files.items()}
        digest = sha256_of(notes) if notes is not None and write else ""
        return Job(
            name=cell.name,
            folder=out / "cells" / cell.partition / cell.recipe / f"seed-{seed}",
            config=cell.configs[seed],
            cases=str(out / "cases"),
            notes=None if notes is None else str(notes),
            tested=str(out / "held_out"),
            queries=queries,
            inputs={**inputs, "notes": digest, "writer": VERSION},
            cost=training_cost(cell.configs[seed], n_train),
            evaluate=False,
        )

    return [job(cell, seed) for seed in plan.seeds for cell in cells]


def _digest(table: pd.DataFrame) -> str:
    digest = hashlib.sha256()
    for column in ("case_id", "split", "content_sha256"):
        digest.update("\n".join(map(str, table[column])).encode())
    return digest.hexdigest()


def study_results(plan: StudyPlan, cells: Sequence[Cell], runs: Mapping[str, CellRuns]) -> dict[str, Any]:
    """Return the results of the study as in comparison.json.

    Args:
        plan: Of the study.
        cells: All of its cells.
        runs: Finished runs by cell name.
    """
    points = [
        point
        for kind in plan.kinds
        for rate in plan.rates
        if (found := runs.get(f"{kind}/{rate_name(rate)}")) is not None
        for point in _points(kind, rate, found)
    ]
    without, some = runs.get(f"drawn/{IMAGE_ONLY}"), next(iter(runs.values()), None)
    seeds = {name: list(found.tables) for name, found in runs.items()}
    return {
        **{name: getattr(plan, name) for name in ("kinds", "rates", "seeds", "drawn", "held_out")},
        "cells": [{"name": cell.name, "seeds": seeds.get(cell.name, [])} for cell in cells],
        "n_cases": 0 if some is None else int(some.rows["all"].sum()),
        "device": None if some is None else some.device,
        "image_only": None if without is None else {"by_seed": without.values(KAPPA, without.rows["all"])},
        "points": points,
        "losses": [
            loss for kind in plan.kinds for loss in relative_losses(points, kind, plan.rates[0], plan.rates[-1])
        ],
    }


def _points(kind: str, rate: float, runs: CellRuns) -> Iterator[dict[str, Any]]:
    for measure in MEASURES:
        yield {
            "kind": kind,
            "rate": rate,
            "measure": measure.key,
            "seeds": list(runs.tables),
            "by_seed": runs.values(measure, runs.rows["all"]),
            "chance_by_seed": [0.0] * len(runs.tables) if measure == KAPPA else runs.chance(measure, "all"),
        }


def relative_losses(points: Sequence[Mapping[str, Any]], kind: str, first: float, last: float) -> list[dict[str, Any]]:
    """Return the relative losses from one rate to another, and their differences to the loss of kappa.

    The loss is 1 - (last - chance) / (first - chance) per seed: 0 is no loss, 1 is all that was above chance. A seed
    with nothing above chance at the first rate is left out.

    Args:
        points: Values by kind, rate and measure.
        kind: Of notes.
        first: Reference rate.
        last: Rate to compare.
    """
    above = {
        (each["rate"], each["measure"]): pd.Series(each["by_seed"], each["seeds"], dtype=float)
        - pd.Series(each["chance_by_seed"], each["seeds"], dtype=float)
        for each in points
        if each["kind"] == kind
    }
    found: dict[str, pd.Series] = {}
    for measure in MEASURES:
        if (first, measure.key) in above and (last, measure.key) in above:
            reference = above[first, measure.key]
            loss = (1 - above[last, measure.key] / reference[reference > 0]).dropna()
            if len(loss):
                found[measure.key] = loss
    kappa = found.get(KAPPA.key, pd.Series(dtype=float))
    return [
        {
            "kind": kind,
            "measure": key,
            "loss": mean_and_interval(loss),
            "more_than_kappa": None if key == KAPPA.key else mean_and_interval((loss - kappa).dropna()),
        }
        for key, loss in found.items()
    ]


def mean_and_interval(values: Sequence[float] | pd.Series) -> dict[str, Any]:
    """Return the mean over seeds and its 95% interval by Student's t; no interval for a single seed."""
    from scipy import stats

    known = np.asarray(values, dtype=float)
    mean, ci = float(known.mean()) if len(known) else None, None
    if mean is not None and len(known) > 1:
        reach = float(stats.t.ppf(0.975, len(known) - 1) * stats.sem(known))
        ci = [mean - reach, mean + reach]
    return {"mean": mean, "ci": ci, "n": len(known)}
