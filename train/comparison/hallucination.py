"""Hallucination study: effect of wrong statements in notes on alignment and classification, on drawn lesions.

Every attribute of a drawn lesion is known, so notes can be written with a given error rate. At each rate a model is
trained on such notes and tested on other drawn lesions, with clean and with equally corrupted query notes. Classes are
predicted from the image alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dermnote.notes.schema import write_notes
from dermnote.storage import sha256_of

from ..data.cases import Cases
from .case_views import digest_of
from .plan import IMAGE_ONLY, Cell, Recipe, StudyPlan, train_configs, training_cost
from .report import GAP, Results, fill_page, measure_name, number
from .results import KAPPA, VERSIONS, CellRuns, retrieval_measures, split_measure
from .runner import Job
from .standin_writer import VERSION, write_standin_notes

CLEAN, CORRUPTED = "clean", "corrupted"  # sets of query notes
MEASURES = (KAPPA, *retrieval_measures(CLEAN), *retrieval_measures(CORRUPTED))
COLUMNS = ("case_id", "split", "content_sha256")  # that identify the lesions
TRAIN_SHARE = 0.7  # of the drawn cases, as split by train.prepare
TRAIN_SEED, HELD_OUT_SEED = 0, 1  # of the drawing
MORE, LESS = "hurt more than classification", "hurt less than classification"


def study_cells(plan: StudyPlan) -> list[Cell]:
    """Return the image-only cell, and one for each kind of notes at each rate."""
    cells = [Cell("drawn", IMAGE_ONLY, train_configs(plan, Recipe(multimodal=False), IMAGE_ONLY), ())]
    for rate in map(rate_name, plan.rates):
        for kind in plan.kinds:
            cells.append(Cell(kind, rate, train_configs(plan, Recipe(strategies=(kind,)), rate), (CLEAN, CORRUPTED)))
    return cells


def rate_name(rate: float) -> str:
    """Return the name of a rate's cells, such as "rate-40"."""
    return f"rate-{100 * rate:g}"


def draw_lesions(plan: StudyPlan, out: Path) -> dict[str, Cases]:
    """Return the lesions to train on ("cases") and to test on ("held_out"), drawn if they are not there yet."""
    from .. import prepare

    prepare.main([f"drawn={plan.drawn},seed={TRAIN_SEED}", "--out", str(out / "cases")])
    prepare.main([f"drawn={plan.held_out},seed={HELD_OUT_SEED}", "--external", "drawn", "--out", str(out / "held_out")])
    return {name: Cases.read(out / name) for name in ("cases", "held_out")}


def study_jobs(
    plan: StudyPlan, cells: Sequence[Cell], out: Path, *, write: bool = True
) -> tuple[list[Job], dict[str, str], list[str]]:
    """Return the trainings of these cells, as `grid_jobs` does; draws the lesions and writes the notes.

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
        inputs = {"cases": digest_of(tables["cases"], COLUMNS), "measured": digest_of(tables["held_out"], COLUMNS)}
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
            notes = notes_at(cell.partition, rates[cell.recipe], seed)
            files = {CLEAN: notes_at(cell.partition, 0.0, seed), CORRUPTED: notes}
            queries = {name: {"notes": str(path), "strategy": cell.partition} for name, path in files.items()}
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

    return [job(cell, seed) for seed in plan.seeds for cell in cells], {}, []


def study_results(
    plan: StudyPlan, cells: Sequence[Cell], runs: Mapping[str, CellRuns], *, n_boot: int
) -> dict[str, Any]:
    """Return the results of the study as in comparison.json.

    Args:
        plan: Of the study.
        cells: All of its cells.
        runs: Finished runs by cell name.
        n_boot: Unused: intervals are over seeds.
    """
    points = []
    for kind in plan.kinds:
        for rate in plan.rates:
            found = runs.get(f"{kind}/{rate_name(rate)}")
            if found is None:
                continue
            for measure in MEASURES:
                seeds, values = list(found.tables), found.values(measure, found.rows["all"])
                chance = [0.0] * len(seeds) if measure == KAPPA else found.chance(measure, "all")
                point = {"kind": kind, "rate": rate, "measure": measure, "seeds": seeds, "by_seed": values}
                points.append({**point, "chance_by_seed": chance})
    without, some = runs.get(f"drawn/{IMAGE_ONLY}"), next(iter(runs.values()), None)
    ends = plan.rates[0], plan.rates[-1]
    return {
        **{name: getattr(plan, name) for name in ("kinds", "rates", "seeds", "drawn", "held_out")},
        "cells": [
            {"name": cell.name, "seeds": list(runs[cell.name].tables) if cell.name in runs else []} for cell in cells
        ],
        "n_cases": 0 if some is None else int(some.rows["all"].sum()),
        "device": None if some is None else some.device,
        "image_only": None if without is None else {"by_seed": without.values(KAPPA, without.rows["all"])},
        "points": points,
        "losses": [loss for kind in plan.kinds for loss in relative_losses(points, kind, *ends)],
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
    columns = ["rate", "measure", "seeds", "by_seed", "chance_by_seed"]
    table = pd.DataFrame([each for each in points if each["kind"] == kind], columns=columns).explode(columns[2:])
    above = table.assign(above=(table["by_seed"] - table["chance_by_seed"]).astype(float))
    above = above.pivot(index="measure", columns=["rate", "seeds"], values="above")
    if not {first, last} <= set(above.columns.get_level_values("rate")):
        return []
    loss = 1 - above[last] / above[first].where(above[first] > 0)
    kappa = loss.loc[KAPPA] if KAPPA in loss.index else np.nan
    losses = []
    for measure in (each for each in MEASURES if each in loss.index and loss.loc[each].notna().any()):
        more = None if measure == KAPPA else mean_and_interval((loss.loc[measure] - kappa).dropna())
        own = mean_and_interval(loss.loc[measure].dropna())
        losses.append({"kind": kind, "measure": measure, "loss": own, "more_than_kappa": more})
    return losses


def mean_and_interval(values: Sequence[float] | pd.Series) -> dict[str, Any]:
    """Return the mean over seeds and its 95% interval by Student's t; no interval for a single seed."""
    from scipy import stats

    known = np.asarray(values, dtype=float)
    mean, ci = float(known.mean()) if len(known) else None, None
    if mean is not None and len(known) > 1:
        reach = float(stats.t.ppf(0.975, len(known) - 1) * stats.sem(known))
        ci = [mean - reach, mean + reach]
    return {"mean": mean, "ci": ci, "n": len(known)}


def points_table(results: Results) -> pd.DataFrame:
    """Return one row per point: kind, rate, measure, queries, version, direction, mean, low and high seed, chance."""
    columns = ["kind", "rate", "measure", "by_seed", "chance_by_seed", "queries", "version", "direction"]
    points = [{**split_measure(each["measure"]), **each} for each in results["points"]]
    table = pd.DataFrame(points, columns=columns)
    for name, summarize in (("mean", np.mean), ("low", min), ("high", max)):
        table[name] = [float(summarize(values)) for values in table["by_seed"]]
    table["chance"] = table["chance_by_seed"].map(np.mean).where(table["measure"] != KAPPA)
    return table


def write_study_page(results: Results, plots: Mapping[str, str]) -> str:
    """Return comparison.md of the study.

    Args:
        results: Content of comparison.json.
        plots: Titles of the plots drawn, by file name.
    """
    columns = ["kind", "measure", "loss", "more_than_kappa"]
    losses = pd.DataFrame([{**split_measure(each["measure"]), **each} for each in results["losses"]])
    losses = losses.reindex(columns=[*columns, "version", "queries"])
    losses["verdict"] = [loss_verdict(each) for each in losses["more_than_kappa"]]
    verdicts = {version: list(losses.loc[losses["version"] == version, "verdict"]) for version in VERSIONS}
    return fill_page(
        "study.md.j2",
        results,
        plots=plots,
        outcomes=[
            {"version": VERSIONS[version], **claim_outcome(found)} for version, found in verdicts.items() if found
        ],
        lost=[_lost(losses[losses["kind"] == kind]) for kind in losses.loc[losses["measure"] == KAPPA, "kind"]],
        by_rate=_by_rate(results),
        relative_losses=pd.DataFrame(
            {
                "notes": losses["kind"],
                "query notes": losses["queries"],
                "measure": losses["measure"].map(measure_name),
                "relative loss [95% over seeds]": losses["loss"].map(_percent),
                "more than kappa": losses["more_than_kappa"].map(_percent),
                "verdict": losses["verdict"],
            }
        ),
    )


def loss_verdict(more: Mapping[str, Any] | None) -> str:
    """Return the conclusion from a measure's loss beyond that of kappa; "" for kappa itself."""
    if more is None:
        return ""
    if more["ci"] is None:
        return "unknown (too few seeds)"
    low, high = more["ci"]
    if low <= 0 <= high:
        return "no significant difference from classification"
    return MORE if low > 0 else LESS


def claim_outcome(verdicts: Sequence[str]) -> dict[str, Any]:
    """Return whether wrong statements hurt alignment more than classification, from the verdicts on measures."""
    more, less = verdicts.count(MORE), verdicts.count(LESS)
    if less:
        outcome = "both directions were found" if more else "it did not hold here"
    elif more:
        outcome = "it held here" if more == len(verdicts) else "it held in part, and the rest is open"
    else:
        outcome = "these runs leave it open"
    return {"total": len(verdicts), "more": more, "less": less, "outcome": outcome}


def _lost(losses: pd.DataFrame) -> dict[str, Any]:
    """Return the loss of kappa for one kind of notes, and the span of the others by version."""
    spans = {}
    for version, title in VERSIONS.items():
        means = [each["mean"] for each in losses.loc[losses["version"] == version, "loss"]]
        ends = [f"{100 * end:.0f}%" for end in (min(means), max(means))] if means else []
        spans[title] = " to ".join(dict.fromkeys(ends))
    kappa = losses.loc[losses["measure"] == KAPPA].iloc[0]
    return {"kind": kappa["kind"], "kappa": _percent(kappa["loss"]), "spans": spans}


def _percent(loss: Mapping[str, Any] | None) -> str:
    if loss is None:
        return ""
    if loss["mean"] is None:
        return "not measurable"
    ends = f" [{100 * loss['ci'][0]:.0f}, {100 * loss['ci'][1]:.0f}]" if loss["ci"] else ""
    return f"{100 * loss['mean']:.0f}%{ends}"


def _by_rate(results: Results) -> pd.DataFrame:
    """Return a row per measure, set of query notes and kind of notes, masked first; a column per rate."""
    points = points_table(results)
    points["text"] = [
        number(each.mean, *((each.low, each.high) if len(each.by_seed) > 1 else ()))
        + ("" if pd.isna(each.chance) else f" ({number(each.chance)})")
        for each in points.itertuples()
    ]
    measures = sorted(MEASURES, key=lambda each: "as_written" in each)
    rows = pd.MultiIndex.from_product([measures, results["kinds"]], names=["measure", "notes"])
    table = points.set_index(["measure", "kind", "rate"])["text"].unstack("rate")
    table = table.reindex(rows).reindex(columns=results["rates"]).astype(object).fillna(GAP)
    table = table.rename(columns=lambda rate: f"{100 * rate:g}% wrong").reset_index()
    table.insert(1, "query notes", [split_measure(each)["queries"] for each in table["measure"]])
    table["measure"] = table["measure"].map(measure_name)
    if results["image_only"] is not None:
        values = results["image_only"]["by_seed"]
        text = number(np.mean(values), *((min(values), max(values)) if len(values) > 1 else ()))
        first = {"measure": KAPPA, "notes": "image-only, no notes", table.columns[3]: text}
        table = pd.concat([pd.DataFrame([first], columns=table.columns), table]).fillna("")
    return table
