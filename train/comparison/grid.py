"""Trainings of a grid: the views of the cases, the notes to train on, and the notes used as queries.

Query notes are given for some cases only, by any writer, as one JSON object a line (strategy, note, findings if there
are some). A row names its case by `case_id` or by the publisher's image id (`isic_id`, `image_id`). For these cases the
template note ("m") and the "mix" of an M+P1 note with findings and an M+P2 note are added without an LLM.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from dermnote.errors import DermNoteError, NotesError
from dermnote.metadata import LesionMetadata
from dermnote.notes.schema import Note, NoteRow, from_row, notes_by_case, write_notes
from dermnote.notes.template import has_diagnosis, template_note
from dermnote.notes.writing import mix_notes

from ..data.cases import cases_folder
from .case_views import TESTED, View, case_files, make_view
from .plan import Cell, GridPlan, training_cost
from .runner import Job

RECORD = ["case_id", "malignancy", "label", "subtype", "description"]
PUBLISHER_IDS = ("isic_id", "image_id")
Texts = Mapping[str, Mapping[str, str]]  # by case id and strategy


@dataclass(frozen=True)
class Notes:
    """Notes of a grid."""

    training: Texts
    query: Texts  # of some cases only
    query_file: Path

    @classmethod
    def read(cls, plan: GridPlan, out: Path, *, write: bool) -> Notes:
        """Read the notes of a plan; the query notes are completed and, if `write`, written into `out`."""
        training, query_file = notes_by_case(plan.notes), out / "query_notes.jsonl"
        query: dict[str, dict[str, str]] = {}
        if plan.query_notes is not None:
            files = case_files(cases_folder(plan.cases))
            parts = [pq.read_table(path, columns=RECORD, partitioning=None).to_pandas() for path in files]
            table = pd.concat(parts).set_index("case_id")
            rows = complete_notes(read_query_notes(plan.query_notes, list(table.index)), table.to_dict("index"))
            for row in rows:
                query.setdefault(row.case_id, {})[row.note.strategy] = row.note.text
            if write:
                write_notes(query_file, rows)
        return cls(training, query, query_file)


def grid_jobs(
    plan: GridPlan, cells: Sequence[Cell], out: Path, *, write: bool = True
) -> tuple[list[Job], dict[str, str], list[str]]:
    """Return the trainings of these cells, the cells left out with the reason, and notices for the reader.

    Args:
        plan: Of the comparison.
        cells: Cells to run.
        out: Folder of the comparison.
        write: False writes no views and no query notes.
    """
    notes = Notes.read(plan, out, write=write)
    views: dict[str, View] = {}
    left_out, notices, jobs = {}, [], []
    for cell in cells:
        try:
            if cell.partition not in views:
                views[cell.partition] = _view(plan, cell.partition, notes, out, write=write)
            queries = _query_texts(cell, views[cell.partition], notes, plan)
        except DermNoteError as error:
            left_out[cell.name] = str(error)
            continue
        if missing := [name for name, texts in queries.items() if not texts]:
            notices.append(f"{cell.name}: no {', '.join(missing)} notes to search with.")
        queries = {name: texts for name, texts in queries.items() if texts}
        jobs += [_job(cell, seed, views[cell.partition], queries, notes, plan, out) for seed in cell.configs]
    notices += [f"{name}: {view.notice}" for name, view in views.items() if view.notice]
    # Seed by seed, so that an interrupted grid is even over its cells.
    jobs.sort(key=lambda job: plan.seeds.index(job.config.seed))
    return jobs, left_out, notices


def _view(plan: GridPlan, name: str, notes: Notes, out: Path, *, write: bool) -> View:
    partition = plan.partitions[name]
    if (partition.test_on.noted or partition.train_on.noted) and not notes.query:
        raise NotesError("No query notes were given.", "Add --query-notes FILE.")
    return make_view(plan.cases, partition, out / "views" / name, name, notes.query, write=write)


def _query_texts(cell: Cell, view: View, notes: Notes, plan: GridPlan) -> dict[str, dict[str, str]]:
    """Return the query notes of a cell by strategy and case id.

    Raises:
        NotesError: Too few of its training cases have a note of its strategies.
    """
    if not cell.config.multimodal:
        return {}
    training = view.table.loc[view.table["split"] == "train", "case_id"]
    wanted = set(cell.config.strategies)
    noted = sum(bool(wanted & set(notes.training.get(case_id, ()))) for case_id in training)
    if noted < max(1, plan.least_noted * len(training)):
        names = " or ".join(cell.config.strategies)
        raise NotesError(f"Only {noted} of {len(training)} training cases have a note of {names}.")
    source = notes.query if plan.partitions[cell.partition].test_on.noted else notes.training
    tested = view.table.loc[view.table["split"].isin(TESTED), "case_id"]
    return {
        name: {each: source[each][name] for each in tested if name in source.get(each, ())} for name in cell.queries
    }


def _job(
    cell: Cell, seed: int, view: View, queries: Mapping[str, Mapping[str, str]], notes: Notes, plan: GridPlan, out: Path
) -> Job:
    config, multimodal = cell.configs[seed], cell.config.multimodal
    shown = set(view.table["case_id"])
    used = {
        name: {each: texts[name] for each, texts in notes.training.items() if each in shown and name in texts}
        for name in config.strategies
    }
    query_file = str(notes.query_file) if plan.partitions[cell.partition].test_on.noted else plan.notes
    return Job(
        name=cell.name,
        folder=out / "cells" / cell.partition / cell.recipe / f"seed-{seed}",
        config=config,
        cases=str(view.folder),
        notes=plan.notes if multimodal else None,
        tested=str(view.folder),
        queries={name: {"notes": query_file, "strategy": name} for name in queries},
        inputs={
            "cases": view.fingerprint,
            "notes": _digest(used) if multimodal else "",
            "query notes": _digest(queries),
        },
        cost=training_cost(config, int((view.table["split"] == "train").sum())),
    )


def _digest(texts: Mapping[str, Mapping[str, str]]) -> str:
    digest = hashlib.sha256()
    for name, by_case in texts.items():
        digest.update(repr((name, sorted(by_case.items()))).encode())
    return digest.hexdigest()


def read_query_notes(path: str | Path, case_ids: Sequence[str]) -> list[NoteRow]:
    """Read query notes; notes of other cases are ignored.

    Args:
        path: One JSON object a line (see the module).
        case_ids: Of the cases folder.

    Raises:
        NotesError: The file is missing, a line is no note, no note belongs to a case, or an id fits several cases.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise NotesError(f"The query notes {path} cannot be read.", "Name a file of one JSON object a line.") from error
    known = set(case_ids)
    by_image: dict[str, list[str]] = {}
    for case_id in case_ids:
        by_image.setdefault(case_id.rpartition("/")[2], []).append(case_id)
    notes = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path} line {number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise NotesError(f"{where}: not JSON.") from error
        if not isinstance(row, dict):
            raise NotesError(f"{where}: not a JSON object.")
        named = row.get("case_id") or _find_case(row, by_image, where)
        if named in known:
            try:
                notes.append(from_row({"model": "unknown", **row, "case_id": named}))
            except NotesError as error:
                raise NotesError(f"{where}: {error.message}", error.hint) from error
    if not notes:
        raise NotesError(f"None of the notes in {path} belongs to one of the {len(case_ids)} cases.")
    return notes


def _find_case(row: Mapping[str, Any], by_image: Mapping[str, list[str]], where: str) -> str | None:
    image_id = next((str(row[name]) for name in PUBLISHER_IDS if row.get(name)), None)
    if image_id is None:
        raise NotesError(f"{where}: no case_id.", f"Or the publisher's id as {' or '.join(PUBLISHER_IDS)}.")
    matching = by_image.get(image_id, [])
    if len(matching) > 1:
        raise NotesError(f"{where}: {image_id} fits several cases: {', '.join(matching[:3])}.", "Name it by case_id.")
    return matching[0] if matching else None


def complete_notes(rows: Sequence[NoteRow], records: Mapping[str, Mapping[str, Any]]) -> list[NoteRow]:
    """Add the template note and the mix to each case that lacks them, where they can be made.

    Args:
        rows: Query notes.
        records: Metadata by case id.
    """
    by_case: dict[str, dict[str, Note]] = {}
    for row in rows:
        by_case.setdefault(row.case_id, {})[row.note.strategy] = row.note
    for case_id, notes in by_case.items():
        record = LesionMetadata.from_mapping(records[case_id])
        if "m" not in notes and has_diagnosis(record):
            notes["m"] = template_note(record)
        closed, free = notes.get("m+p1"), notes.get("m+p2")
        if "mix" not in notes and free is not None and closed is not None and closed.findings is not None:
            notes["mix"] = mix_notes(closed, free, record)
    return [NoteRow(case_id, note) for case_id, notes in by_case.items() for note in notes.values()]
