"""From a grid's plan to its trainings: the views of the cases, and who has notes for what."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dermnote.errors import DermNoteError, NotesError
from dermnote.metadata import LesionMetadata
from dermnote.notes.schema import notes_by_case, write_notes

from ..data.cases import SPLITS, cases_folder
from .cells import Cell, LeftOut, pictures_of
from .plan import GridPlan
from .query_notes import complete, read_query_notes
from .running import Job
from .views import TESTED, View, view_of

RECORD = ["case_id", "malignancy", "label", "subtype", "description"]


@dataclass(frozen=True)
class Grid:
    """A grid that can be run.

    Attributes:
        jobs: Seed by seed, so that an interrupted grid is even over its cells.
        left_out: Cells that cannot be served, with the reason.
        views: What each partition shows.
        told: Lines that a reader must know.
    """

    jobs: list[Job]
    left_out: list[LeftOut]
    views: dict[str, View]
    told: list[str]


@dataclass(frozen=True)
class Queries:
    """The notes that a cell searches with.

    Attributes:
        sets: By strategy, the text of each held-out case that has one.
        path: The file they stand in.
    """

    sets: Mapping[str, Mapping[str, str]]
    path: str

    @property
    def there(self) -> dict[str, Mapping[str, str]]:
        """Sets that hold any."""
        return {name: texts for name, texts in self.sets.items() if texts}

    @property
    def lacking(self) -> list[str]:
        """Names of those that do not."""
        return [name for name, texts in self.sets.items() if not texts]


class Notes:
    """The notes of a comparison: those learnt from, and those of some cases to search with.

    Args:
        plan: Names both files.
        out: Where the query notes are written as the steps read them.
        write: Whether they are.

    Raises:
        NotesError: A file is missing or wrong.
    """

    def __init__(self, plan: GridPlan, out: Path, *, write: bool = True) -> None:
        self.learnt, self.path = notes_by_case(plan.notes), plan.notes
        self.queried: dict[str, dict[str, str]] = {}
        self.query_path = out / "query_notes.jsonl"
        if plan.query_notes is not None:
            table = _records(plan.cases)
            notes = read_query_notes(plan.query_notes, table["case_id"])
            rows = table.set_index("case_id").to_dict("index")
            records = {row.case_id: LesionMetadata.from_mapping(rows[row.case_id]) for row in notes}
            whole = complete(notes, records)
            for row in whole:
                self.queried.setdefault(row.case_id, {})[row.note.strategy] = row.note.text
            if write:
                write_notes(self.query_path, whole)

    @property
    def ids(self) -> set[str]:
        """Cases that the query notes speak of."""
        return set(self.queried)


def make_grid(plan: GridPlan, cells: Sequence[Cell], out: Path, *, write: bool = True) -> Grid:
    """The trainings of these cells.

    Args:
        plan: Of the comparison.
        cells: Those to run.
        out: Folder of the comparison.
        write: False writes no view of the cases, for a look at what would be run.
    """
    notes = Notes(plan, out, write=write)
    views: dict[str, View] = {}
    left_out: list[LeftOut] = []
    jobs: list[Job] = []
    told: list[str] = []
    for cell in cells:
        try:
            view = views.get(cell.partition) or _view(plan, cell.partition, notes, out, write=write)
            views[cell.partition] = view
            queries = _served(cell, view, notes, plan)
        except DermNoteError as error:
            left_out.append(LeftOut(cell.name, str(error)))
            continue
        if queries.lacking:
            told.append(f"{cell.name}: no {', '.join(queries.lacking)} notes to search with.")
        jobs += [_job(cell, seed, view, queries, notes, out) for seed in cell.configs]
    told += [f"{name}: {view.told}" for name, view in views.items() if view.told]
    jobs.sort(key=lambda job: list(plan.seeds).index(job.config.seed))  # stable: cells keep their order
    return Grid(jobs, left_out, views, told)


def _view(plan: GridPlan, name: str, notes: Notes, out: Path, *, write: bool) -> View:
    partition = plan.partitions[name]
    if (partition.test_on.noted or partition.train_on.noted) and not notes.ids:
        raise NotesError("No query notes were given.", "Add --query-notes FILE.")
    return view_of(plan.cases, partition, out / "views" / name, name, notes.ids, write=write)


def _served(cell: Cell, view: View, notes: Notes, plan: GridPlan) -> Queries:
    """The notes a cell searches with.

    Raises:
        NotesError: Too few of its training cases have a note of its strategies.
    """
    if not cell.config.multimodal:
        return Queries({}, "")
    learnt = view.table.loc[view.table["split"] == "train", "case_id"]
    wanted = set(cell.config.strategies)
    noted = sum(bool(wanted & set(notes.learnt.get(case_id, ()))) for case_id in learnt)
    if noted < max(1, plan.least_noted * len(learnt)):
        names = " or ".join(cell.config.strategies)
        raise NotesError(f"Only {noted} of {len(learnt)} training cases have a note of {names}.")
    some = plan.partitions[cell.partition].test_on.noted
    source, path = (notes.queried, str(notes.query_path)) if some else (notes.learnt, notes.path)
    tested = view.table.loc[view.table["split"].isin(TESTED), "case_id"]
    sets = {
        name: {each: source[each][name] for each in tested if name in source.get(each, ())} for name in cell.queries
    }
    return Queries(sets, path)


def _job(cell: Cell, seed: int, view: View, queries: Queries, notes: Notes, out: Path) -> Job:
    config, noted = cell.configs[seed], cell.config.multimodal
    shown = set(view.table["case_id"]) if noted else set()
    wanted = {
        name: {each: texts[name] for each, texts in notes.learnt.items() if each in shown and name in texts}
        for name in config.strategies
    }
    return Job(
        name=cell.name,
        folder=out / "cells" / cell.partition / cell.recipe / f"seed-{seed}",
        config=config,
        cases=str(view.folder),
        notes=notes.path if noted else None,
        measured=str(view.folder),
        queries={name: {"notes": queries.path, "strategy": name} for name in queries.there},
        marks={
            "cases": view.fingerprint,
            "notes": _digest(wanted) if noted else "",
            "query notes": _digest(queries.there),
        },
        cost=pictures_of(config, view.count("train")),
        same_cases=len(queries.there) > 1,
    )


def _digest(texts: Mapping[str, Mapping[str, str]]) -> str:
    digest = hashlib.sha256()
    for name, by_case in texts.items():
        digest.update(repr((name, sorted(by_case.items()))).encode())
    return digest.hexdigest()


def _records(cases: str) -> pd.DataFrame:
    import pyarrow.parquet as pq

    root = cases_folder(cases)
    parts = [path for split in SPLITS for path in sorted((root / "data").glob(f"{split}-*.parquet"))]
    return pd.concat([pq.read_table(path, columns=RECORD, partitioning=None).to_pandas() for path in parts])
