"""Compares ways of writing notes and of training on them, on one set of cases, and says what can be told.

    python -m train.compare --config train/configs/compare.yaml --cases cases/ --notes notes.jsonl --out runs/compare
    python -m train.compare ... --dry-run            # lists the cells, and what each would cost
    python -m train.compare ... --minimum            # the few cells that answer the first question
    python -m train.compare ... --only 'internal/*'  # by partition/recipe, recipe or partition
    python -m train.compare ... --tables             # only writes the tables of what is there
    python -m train.compare --config train/configs/hallucination.yaml --out runs/hallucination

Each cell is trained and measured once a seed, in a process of its own, into OUT/cells/PARTITION/RECIPE/seed-N: a run
folder like any other. What is finished stays, what was interrupted goes on; run the same command again. A cell that
fails is told and the others go on; the exit status is then 1.

Writes comparison.md, comparison.json and pictures into OUT.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dermnote.errors import ConfigError
from dermnote.storage import replacing_file

from .comparison.cell_results import Measure, Runs
from .comparison.cells import Cell, LeftOut, cells_of, chosen
from .comparison.plan import GridPlan, StudyPlan, load_plan
from .comparison.running import Clock, Job, Outcome, finished, run_jobs
from .runtime.console import print_summary, run

FAILED = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Runs what is asked for; 1 if a cell failed."""
    words = list(sys.argv[1:] if argv is None else argv)
    asked = parse(words)
    plan = _changed(load_plan(asked.config, asked.set), asked)
    cells = _cells(plan)
    patterns = list(plan.minimum) if asked.minimum else asked.only
    picked = cells if asked.tables else chosen(cells, patterns)
    jobs, left_out, told = _jobs(plan, picked, asked)
    clock = Clock(plan.pictures_per_second)
    if asked.dry_run:
        _show(jobs, left_out, told, clock)
        return 0
    for line in (*told, *(f"left out: {each.name}: {each.reason}" for each in left_out)):
        print(line)
    outcomes: list[Outcome] = []
    if not asked.tables:
        outcomes = run_jobs(jobs, clock, _figures, device=asked.device, bootstrap=asked.bootstrap)
        # cells finished before stand in the tables too
        rest, more, _ = _jobs(plan, [cell for cell in cells if cell not in picked], asked)
        jobs, left_out = [*jobs, *rest], [*left_out, *more]
    failed = [each for each in outcomes if each.status == "failed"]
    left_out += [LeftOut(each.job.title, f"failed: {each.reason}") for each in failed]
    _report(plan, cells, jobs, left_out, told, asked, words)
    return FAILED if failed else 0


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Reads the command line."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m train.compare", description=__doc__, formatter_class=shape)
    add = parser.add_argument
    add("--config", type=Path, required=True, help="what to compare, e.g. train/configs/compare.yaml")
    add("--out", type=Path, default=Path("runs/compare"), help="folder of the comparison (default: %(default)s)")
    add("--cases", help="folder that train.prepare wrote, or a Hub dataset (default: the config's)")
    add("--notes", help="notes.jsonl to learn from (default: the config's)")
    add("--query-notes", metavar="FILE", help="notes of some cases only, by several writers, to search with")
    add("--only", nargs="+", default=[], metavar="NAME", help="run these cells alone; * stands for anything")
    add("--minimum", action="store_true", help="run the config's minimum alone")
    add("--seeds", nargs="+", type=int, metavar="N", help="instead of the config's")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="change a training setting of all cells")
    add("--dry-run", action="store_true", help="list the cells and what each would cost, and write nothing")
    add("--tables", action="store_true", help="train nothing, write the tables of what is there")
    add("--bootstrap", type=int, default=1000, metavar="N", help="draws for the intervals (default: %(default)s)")
    add("--device", help="cpu, cuda, ... to measure on (default: a GPU if there is one)")
    return parser.parse_args(argv)


def _changed(plan: GridPlan | StudyPlan, asked: argparse.Namespace) -> GridPlan | StudyPlan:
    """The plan as the command line has it."""
    if asked.minimum and not plan.minimum:
        raise ConfigError(f"{asked.config} names no minimum.", "Name cells with --only.")
    seeds = tuple(dict.fromkeys(asked.seeds)) if asked.seeds else plan.seeds
    if isinstance(plan, StudyPlan):
        given = [name for name in ("cases", "notes", "query_notes") if getattr(asked, name)]
        if given:
            raise ConfigError(
                "The hallucination study draws its own lesions and writes its own notes.", "Leave it out."
            )
        return replace(plan, seeds=seeds)
    return replace(
        plan,
        seeds=seeds,
        cases=asked.cases or plan.cases,
        notes=asked.notes or plan.notes,
        query_notes=asked.query_notes or plan.query_notes,
    )


def _cells(plan: GridPlan | StudyPlan) -> list[Cell]:
    if isinstance(plan, GridPlan):
        return cells_of(plan)
    from .comparison.hallucination import cells_of_study

    return cells_of_study(plan)


def _jobs(
    plan: GridPlan | StudyPlan, cells: Sequence[Cell], asked: argparse.Namespace
) -> tuple[list[Job], list[LeftOut], list[str]]:
    if isinstance(plan, GridPlan):
        from .comparison.grid import make_grid

        grid = make_grid(plan, cells, asked.out, write=not asked.dry_run)
        return grid.jobs, grid.left_out, grid.told
    from .comparison.hallucination import jobs_of_study

    return jobs_of_study(plan, cells, asked.out, write=not asked.dry_run), [], []


def _show(jobs: Sequence[Job], left_out: Sequence[LeftOut], told: Sequence[str], clock: Clock) -> None:
    """What would be run."""
    done = {job.title: finished(job) for job in jobs}
    for job in jobs:
        if done[job.title][0]:
            clock.add(job.cost, done[job.title][2])
    for job in jobs:
        state = "finished" if done[job.title][0] else f"about {clock.expect([job]) / 60:.1f} min"
        print(f"  {job.title:<44} {state}")
    for each in left_out:
        print(f"  {each.name:<44} left out: {each.reason}")
    for line in told:
        print(line)
    left = [job for job in jobs if not done[job.title][0]]
    timed = "by the cells that are finished" if clock.cost else "by the config's pictures_per_second"
    print(f"{len(left)} of {len(jobs)} trainings to do, about {clock.expect(left) / 60:.0f} min ({timed})")


def _figures(job: Job) -> str:
    """The main figures of a finished training."""
    found = Runs.read({job.config.seed: job.folder})
    mask = found.rows.get("all", next(iter(found.rows.values())))
    said = [f"kappa {found.values(Measure('kappa'), mask)[0]:.3f}"]
    for name in found.queries[:1]:
        ways = [
            found.values(Measure("map", name, "masked", way), mask)[0] for way in ("image_to_text", "text_to_image")
        ]
        said.append(f"masked mAP {ways[0]:.3f} and {ways[1]:.3f}")
    return ", ".join(said)


def _report(
    plan: GridPlan | StudyPlan,
    cells: Sequence[Cell],
    jobs: Sequence[Job],
    left_out: Sequence[LeftOut],
    told: Sequence[str],
    asked: argparse.Namespace,
    words: Sequence[str],
) -> None:
    """Writes comparison.json, comparison.md and the pictures, of all that is finished."""
    from .evaluation.provenance import command, plain, versions

    folders: dict[str, dict[int, Path]] = {}
    for job in jobs:
        if finished(job)[0]:
            folders.setdefault(job.name, {})[job.config.seed] = job.folder
    runs = {name: Runs.read(each) for name, each in folders.items()}
    figures: dict[str, Any] = {
        "command": command("train.compare", [word for word in words if word != "--tables"]),  # which trains nothing
        "versions": versions(),
        "bootstrap": asked.bootstrap,
        "seeds": list(plan.seeds),
        "told": list(told),
    }
    if isinstance(plan, GridPlan):
        from .comparison.grid_report import collect
        from .comparison.grid_tables import write_markdown
        from .comparison.plots import draw_all

        figures |= {"kind": "grid", "cases": plan.cases, "notes": plan.notes, "query_notes": plan.query_notes}
        figures |= collect(plan, cells, runs, left_out, n_boot=asked.bootstrap)
        figures["device"] = next((cell["device"] for cell in figures["cells"] if cell["device"]), None)
        figures = plain(figures)
        drawn = draw_all(figures, asked.out)
        page = write_markdown(figures, drawn)
    else:
        from .comparison.study_report import collect_study
        from .comparison.study_tables import PLOT, draw_study, write_study

        figures |= {"kind": "hallucination", **collect_study(plan, cells, runs, left_out)}
        figures = plain(figures)
        drawn = [PLOT] if draw_study(figures, asked.out) else []
        page = write_study(figures, with_plot=bool(drawn))
    for name, text in (
        ("comparison.json", json.dumps(figures, indent=1, ensure_ascii=False) + "\n"),
        ("comparison.md", page),
    ):
        with replacing_file(asked.out / name) as aside:
            aside.write_text(text, encoding="utf-8")
    total = sum(len(each) for each in folders.values())
    rows = {"finished": f"{total} of {len(jobs)} trainings", "tables": asked.out / "comparison.md"}
    rows |= {"figures": asked.out / "comparison.json", "pictures": ", ".join(drawn) or "none"}
    print_summary("Compared (research use only, never a diagnosis)", rows)


if __name__ == "__main__":
    run(main)
