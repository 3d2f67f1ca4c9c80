"""Compare note strategies and training settings on one set of cases, with paired differences between them.

    python -m train.compare --config train/configs/compare.yaml --cases cases/ --notes notes.jsonl --out runs/compare
    python -m train.compare ... --dry-run            # lists the cells and their cost
    python -m train.compare ... --minimum            # the few cells that answer the first question
    python -m train.compare ... --only 'internal/*'  # by partition/recipe, recipe or partition
    python -m train.compare ... --tables             # only writes the tables of the finished cells
    python -m train.compare --config train/configs/hallucination.yaml --out runs/hallucination

Each cell is trained and evaluated once per seed, in its own process, into OUT/cells/PARTITION/RECIPE/seed-N: a run
folder like any other. Finished cells are kept and interrupted ones resumed: run the same command again. A cell that
fails is reported and the others go on; the exit status is then 1.

Writes comparison.md, comparison.json and plots into OUT.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from dermnote.errors import ConfigError
from dermnote.storage import replacing_file

from .comparison.grid import grid_jobs
from .comparison.hallucination import study_cells, study_jobs, study_results, write_study_page
from .comparison.plan import GridPlan, StudyPlan, expand_grid, load_plan, select_cells
from .comparison.plots import draw_grid, draw_study
from .comparison.report import write_grid_page
from .comparison.results import DIRECTIONS, KAPPA, CellRuns, grid_results
from .comparison.runner import Job, expected_seconds, run_jobs, state_of
from .runtime.console import print_summary, run

FAILED = 1
Plan = GridPlan | StudyPlan


class Steps(NamedTuple):
    """Functions of one kind of comparison."""

    cells: Callable[..., Any]  # of a plan
    jobs: Callable[..., Any]  # of cells: the trainings, the cells left out with the reason, and notices
    results: Callable[..., Any]  # content of comparison.json
    draw: Callable[..., dict[str, str]]  # titles of the plots by file name
    page: Callable[..., str]  # content of comparison.md


GRID = Steps(expand_grid, grid_jobs, grid_results, draw_grid, write_grid_page)
STUDY = Steps(study_cells, study_jobs, study_results, draw_study, write_study_page)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison; 1 if a cell failed."""
    argv = list(sys.argv[1:] if argv is None else argv)
    args = parse(argv)
    plan = _override(load_plan(args.config, args.set), args)
    steps = GRID if isinstance(plan, GridPlan) else STUDY
    cells = steps.cells(plan)
    selected = cells if args.tables else select_cells(cells, plan.minimum if args.minimum else args.only)
    jobs, left_out, notices = steps.jobs(plan, selected, args.out, write=not args.dry_run)
    if args.dry_run:
        _print_plan(jobs, left_out, notices, plan.pictures_per_second)
        return 0
    for line in (*notices, *(f"left out: {name}: {reason}" for name, reason in left_out.items())):
        print(line)
    failures: dict[str, str] = {}
    if not args.tables:
        speed = plan.pictures_per_second
        failures = run_jobs(
            jobs, _main_figures, pictures_per_second=speed, device=args.device, bootstrap=args.bootstrap
        )
        # The tables show the cells finished before too.
        others, more, _ = steps.jobs(plan, [cell for cell in cells if cell not in selected], args.out)
        jobs, left_out = [*jobs, *others], left_out | more
    left_out |= {title: f"failed: {reason}" for title, reason in failures.items()}
    folders: dict[str, dict[int, Path]] = {}
    for job in jobs:
        if state_of(job).finished:
            folders.setdefault(job.name, {})[job.config.seed] = job.folder
    runs = {name: CellRuns.read(each) for name, each in folders.items()}
    results = _facts(plan, left_out, notices, args, argv) | steps.results(plan, cells, runs, n_boot=args.bootstrap)
    plots = _write(steps, results, args.out)
    rows = {
        "finished": f"{sum(map(len, folders.values()))} of {len(jobs)} trainings",
        "tables": args.out / "comparison.md",
        "figures": args.out / "comparison.json",
        "plots": ", ".join(plots) or "none",
    }
    print_summary("Comparison (research use only, never a diagnosis)", rows)
    return FAILED if failures else 0


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the command line."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(f"python -m {__package__}.compare", description=__doc__, formatter_class=formatter)
    add = parser.add_argument
    add("--config", type=Path, required=True, help="config of the comparison, e.g. train/configs/compare.yaml")
    add("--out", type=Path, default=Path("runs/compare"), help="folder of the comparison (default: %(default)s)")
    add("--cases", help="folder that train.prepare wrote, or a Hub dataset (default: the config's)")
    add("--notes", help="notes.jsonl to train on (default: the config's)")
    add("--query-notes", metavar="FILE", help="notes of some cases only, by several writers, used as queries")
    add("--only", nargs="+", default=[], metavar="NAME", help="run only these cells; * is a wildcard")
    add("--minimum", action="store_true", help="run only the config's minimum")
    add("--seeds", nargs="+", type=int, metavar="N", help="training seeds (default: the config's)")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="change a training setting of all cells")
    add("--dry-run", action="store_true", help="list the cells and their cost, and write nothing")
    add("--tables", action="store_true", help="train nothing, write the tables of the finished cells")
    add("--bootstrap", type=int, default=1000, metavar="N", help="draws for the intervals (default: %(default)s)")
    add("--device", help="cpu, cuda, ... for the evaluation (default: a GPU if there is one)")
    return parser.parse_args(argv)


def _override(plan: Plan, args: argparse.Namespace) -> Plan:
    """Return the plan with the options of the command line."""
    if args.minimum and not plan.minimum:
        raise ConfigError(f"{args.config} names no minimum.", "Name cells with --only.")
    changes = {name: getattr(args, name) for name in ("cases", "notes", "query_notes") if getattr(args, name)}
    if changes and isinstance(plan, StudyPlan):
        names = ", ".join(f"--{name.replace('_', '-')}" for name in changes)
        raise ConfigError("The hallucination study draws its own lesions and writes its own notes.", f"Remove {names}.")
    return replace(plan, seeds=tuple(dict.fromkeys(args.seeds)) if args.seeds else plan.seeds, **changes)


def _print_plan(
    jobs: Sequence[Job], left_out: Mapping[str, str], notices: Sequence[str], pictures_per_second: float
) -> None:
    """Print the trainings with their cost."""
    states = [(job, state_of(job)) for job in jobs]
    finished = [each for each in states if each[1].finished]
    left = [job for job, state in states if not state.finished]
    for job, state in states:
        minutes = expected_seconds([job], finished, pictures_per_second) / 60
        print(f"  {job.title:<44} {'finished' if state.finished else f'about {minutes:.1f} min'}")
    for name, reason in left_out.items():
        print(f"  {name:<44} left out: {reason}")
    for line in notices:
        print(line)
    basis = "from the finished cells" if finished else "from the config's pictures_per_second"
    minutes = expected_seconds(left, finished, pictures_per_second) / 60
    print(f"{len(left)} of {len(jobs)} trainings to do, about {minutes:.0f} min ({basis})")


def _main_figures(job: Job) -> str:
    """Return kappa and masked retrieval of a finished training."""
    found = CellRuns.read({job.config.seed: job.folder})
    mask = found.rows.get("all", next(iter(found.rows.values())))
    text = f"kappa {found.values(KAPPA, mask)[0]:.3f}"
    for name in found.queries[:1]:
        maps = (f"map:{name}:masked:{direction}" for direction in DIRECTIONS)
        text += ", masked mAP " + " and ".join(f"{found.values(each, mask)[0]:.3f}" for each in maps)
    return text


def _facts(
    plan: Plan, left_out: Mapping[str, str], notices: Sequence[str], args: argparse.Namespace, argv: Sequence[str]
) -> dict[str, Any]:
    """Return the part of comparison.json that both kinds of comparison share."""
    from .evaluation.provenance import command, versions  # imports torch

    return {
        "kind": "grid" if isinstance(plan, GridPlan) else "hallucination",
        "command": command(f"{__package__}.compare", [word for word in argv if word != "--tables"]),
        "versions": versions(),
        "bootstrap": args.bootstrap,
        "seeds": list(plan.seeds),
        "told": list(notices),
        "left_out": [{"name": name, "reason": reason} for name, reason in left_out.items()],
    }


def _write(steps: Steps, results: Mapping[str, Any], out: Path) -> dict[str, str]:
    """Write comparison.json, comparison.md and the plots; return the titles of the plots by file name."""
    from .evaluation.provenance import plain

    results = plain(dict(results))
    plots = steps.draw(results, out)
    text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    for name, content in (("comparison.json", text), ("comparison.md", steps.page(results, plots))):
        with replacing_file(out / name) as temporary:
            temporary.write_text(content, encoding="utf-8")
    return plots


if __name__ == "__main__":
    run(main)
