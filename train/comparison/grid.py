"""Trainings of a grid: the views of the cases, the notes to train on, and the notes used as queries.

Query notes are given for some cases only, by any writer, as one JSON object a line (strategy, note, findings if there
are some). A row names its case by `case_id` or by the publisher's image id (`isic_id`, `image_id`). For these cases the
template note ("m") and the "mix" of an M+P1 note with findings and an M+P2 note are added without an LLM.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
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
    training, query_file = notes_by_case(plan.notes), out / "query_notes.jsonl"
    rows = [] if plan.query_notes is None else _read_completed(plan.cases, plan.query_notes)
    if rows and write:
        write_notes(query_file, rows)
    query: dict[str, dict[str, str]] = {}
    for row in rows:
        query.setdefault(row.case_id, {})[row.note.strategy] = row.note.text
    views: dict[str, View] = {}
    jobs, left_out, notices = [], {}, []
    for cell in cells:
        partition = plan.partitions[cell.partition]
        try:
            if (partition.test_on.noted or partition.train_on.noted) and not query:
                raise NotesError("No query notes were given.", "Add --query-notes FILE.")
            if cell.partition not in views:
                folder = out / "views" / cell.partition
                views[cell.partition] = make_view(plan.cases, partition, folder, cell.partition, query, write=write)
            table = views[cell.partition].table
            _check_training_notes(cell, table, training, plan.least_noted)
        except DermNoteError as error:
            left_out[cell.name] = str(error)
            continue
        source, file = (query, str(query_file)) if partition.test_on.noted else (training, plan.notes)
        queries = _select(source, table.loc[table["split"].isin(TESTED), "case_id"], cell.queries)
        if missing := [name for name, texts in queries.items() if not texts]:
            notices.append(f"{cell.name}: no {', '.join(missing)} notes to search with.")
        queries = {name: texts for name, texts in queries.items() if texts}
        jobs += _cell_jobs(cell, views[cell.partition], queries, file, training, plan, out)
    notices += [f"{name}: {view.notice}" for name, view in views.items() if view.notice]
    # Seed by seed, so that an interrupted grid is even over its cells.
    jobs.sort(key=lambda job: plan.seeds.index(job.config.seed))
    return jobs, left_out, notices


def _check_training_notes(cell: Cell, table: pd.DataFrame, notes: Texts, least: float) -> None:
    if not cell.config.multimodal:
        return
    training = table.loc[table["split"] == "train", "case_id"]
    noted = sum(not notes.get(case_id, {}).keys().isdisjoint(cell.config.strategies) for case_id in training)
    if noted < max(1, least * len(training)):
        names = " or ".join(cell.config.strategies)
        raise NotesError(f"Only {noted} of {len(training)} training cases have a note of {names}.")


def _select(notes: Texts, case_ids: Sequence[str], strategies: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the notes of these cases, by strategy and case id."""
    return {name: {each: notes[each][name] for each in case_ids if name in notes.get(each, ())} for name in strategies}


def _cell_jobs(
    cell: Cell, view: View, queries: Texts, query_file: str, training: Texts, plan: GridPlan, out: Path
) -> list[Job]:
    used = _select(training, view.table["case_id"], cell.config.strategies) if cell.config.multimodal else None
    digests = {"notes": "" if used is None else _digest(used), "query notes": _digest(queries)}
    n_train = int((view.table["split"] == "train").sum())
    return [
        Job(
            name=cell.name,
            folder=out / "cells" / cell.partition / cell.recipe / f"seed-{seed}",
            config=config,
            cases=str(view.folder),
            notes=None if used is None else plan.notes,
            tested=str(view.folder),
            queries={name: {"notes": query_file, "strategy": name} for name in queries},
            inputs={"cases": view.fingerprint, **digests},
            cost=training_cost(config, n_train),
        )
        for seed, config in cell.configs.items()
    ]


def _digest(texts: Texts) -> str:
    digest = hashlib.sha256()
    for name, by_case in texts.items():
        digest.update(repr((name, sorted(by_case.items()))).encode())
    return digest.hexdigest()


def _read_completed(cases: str, path: str) -> list[NoteRow]:
    parts = [pq.read_table(part, columns=RECORD, partitioning=None) for part in case_files(cases_folder(cases))]
    table = pd.concat([part.to_pandas() for part in parts]).set_index("case_id")
    return complete_notes(read_query_notes(path, list(table.index)), table.to_dict("index"))


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
    by_id: dict[str, list[str]] = {}
    for case_id in case_ids:
        by_id.setdefault(case_id.rpartition("/")[2], []).append(case_id)
    known, notes = set(case_ids), list[NoteRow]()
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                row = json.loads(line)
                named = _case_of(row, by_id)
                if named in known:
                    notes.append(from_row({"model": "unknown", **row, "case_id": named}))
            except ValueError as error:
                raise NotesError(f"{path} line {number}: not JSON.") from error
            except NotesError as error:
                raise NotesError(f"{path} line {number}: {error.message}", error.hint) from error
    if not notes:
        raise NotesError(f"None of the notes in {path} belongs to one of the {len(case_ids)} cases.")
    return notes


def _case_of(row: Any, by_id: Mapping[str, Sequence[str]]) -> str | None:
    """Return the case id of a query note; None if the case is unknown."""
    if not isinstance(row, dict):
        raise NotesError("not a JSON object.")
    if row.get("case_id"):
        return str(row["case_id"])
    image_id = next((str(row[name]) for name in PUBLISHER_IDS if row.get(name)), None)
    if image_id is None:
        raise NotesError("no case_id.", f"Or the publisher's id as {' or '.join(PUBLISHER_IDS)}.")
    matching = by_id.get(image_id, [])
    if len(matching) > 1:
        raise NotesError(f"{image_id} fits several cases: {', '.join(matching[:3])}.", "Name it by case_id.")
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
