"""The hallucination study: what wrong statements in notes do to alignment and to classification, on drawn lesions.

Of a drawn lesion every attribute is known, so notes can be written that are wrong as often as one likes. At each rate
a model is trained on such notes, and measured on other drawn lesions, searched with clean notes (nothing wrong in them)
and with equally corrupted ones. The picture branch alone tells the class.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from dermnote.notes.schema import write_notes
from dermnote.storage import sha256_of

from ..data.cases import Cases
from .cells import Cell, pictures_of, read_base, train_config
from .plan import IMAGE_ONLY, Recipe, StudyPlan
from .running import Job
from .standin_writer import VERSION, write_notes_of

CLEAN, CORRUPTED = "clean", "corrupted"
LEARNT = 0.7  # share of the drawn cases that train.prepare splits off to learn from
HELD_OUT_SEED = 1  # of the drawing; lesions to learn from have seed 0


def cells_of_study(plan: StudyPlan) -> list[Cell]:
    """Image-only, and each kind of notes at each rate."""
    base = read_base(plan.base)

    def cell(partition: str, name: str, recipe: Recipe, queries: tuple[str, ...]) -> Cell:
        configs = {seed: train_config(base, plan.settings, recipe, seed, name) for seed in plan.seeds}
        return Cell(partition, name, configs, queries)

    without = cell("drawn", IMAGE_ONLY, Recipe(multimodal=False), ())
    noted = [
        cell(kind, rate_name(rate), Recipe(strategies=(kind,)), (CLEAN, CORRUPTED))
        for rate in plan.rates
        for kind in plan.kinds
    ]
    return [without, *noted]


def rate_name(rate: float) -> str:
    """The name of a rate's cells, such as "rate-40"."""
    return f"rate-{100 * rate:g}"


def draw(plan: StudyPlan, out: Path) -> dict[str, Cases]:
    """The lesions to learn from ("cases") and those to measure on ("held_out"); what was drawn before stays."""
    from .. import prepare

    prepare.main([f"drawn={plan.drawn},seed=0", "--out", str(out / "cases")])
    prepare.main([f"drawn={plan.held_out},seed={HELD_OUT_SEED}", "--external", "drawn", "--out", str(out / "held_out")])
    return {name: Cases.read(out / name) for name in ("cases", "held_out")}


def jobs_of_study(plan: StudyPlan, cells: Sequence[Cell], out: Path, *, write: bool = True) -> list[Job]:
    """The trainings of these cells; lesions and notes are made on the way.

    Args:
        plan: Of the study.
        cells: Those to run.
        out: Folder of the comparison.
        write: False makes neither, for a look at what would be run; nothing counts as finished then.
    """
    learnt, marks, whole = round(LEARNT * plan.drawn), {}, pd.DataFrame()
    if write:
        tables = {name: cases.table for name, cases in draw(plan, out).items()}
        learnt = int((tables["cases"]["split"] == "train").sum())
        marks = {"cases": _digest(tables["cases"]), "measured": _digest(tables["held_out"])}
        whole = pd.concat(tables.values(), ignore_index=True)
    rates = {rate_name(rate): rate for rate in plan.rates}

    @cache
    def notes_at(kind: str, rate: float, seed: int) -> Path:
        path = out / "notes" / f"{kind}-{rate_name(rate)}-seed-{seed}.jsonl"
        if write:
            write_notes(path, write_notes_of(whole, kind, rate, seed))
        return path

    jobs = []
    for seed in plan.seeds:
        for cell in cells:
            config, queries, notes = cell.configs[seed], {}, None
            if config.multimodal:
                kind, rate = cell.partition, rates[cell.recipe]
                notes, clean = notes_at(kind, rate, seed), notes_at(kind, 0.0, seed)
                queries = {CLEAN: _query(clean, kind), CORRUPTED: _query(notes, kind)}
            jobs.append(
                Job(
                    name=cell.name,
                    folder=out / "cells" / cell.partition / cell.recipe / f"seed-{seed}",
                    config=config,
                    cases=str(out / "cases"),
                    notes=None if notes is None else str(notes),
                    measured=str(out / "held_out"),
                    queries=queries,
                    marks={
                        **marks,
                        "notes": sha256_of(notes) if notes is not None and write else "",
                        "writer": VERSION,
                    },
                    cost=pictures_of(config, learnt),
                    evaluate=False,
                )
            )
    return jobs


def _query(notes: Path, kind: str) -> Mapping[str, str]:
    return {"notes": str(notes), "strategy": kind}


def _digest(table: pd.DataFrame) -> str:
    digest = hashlib.sha256()
    for column in ("case_id", "split", "content_sha256"):
        digest.update("\n".join(map(str, table[column])).encode())
    return digest.hexdigest()


def study_facts(plan: StudyPlan) -> dict[str, Any]:
    """What comparison.json says of the study's setting."""
    return {
        "kinds": plan.kinds,
        "rates": plan.rates,
        "seeds": plan.seeds,
        "drawn": plan.drawn,
        "held_out": plan.held_out,
    }
