"""One training of a comparison in its own process: train or resume, evaluate, and store the results per case.

    python -m train.comparison.cell_run OUT/cells/internal/m/seed-0.json

Writes into the run folder, as the source of all tables and differences:

per_case.parquet   case_id, source, modality, split, group, class_id, logit:0 ..., and for each set of query notes
                   and each version of them ap:SET:VERSION:DIRECTION (average precision) and cosine:SET:VERSION;
                   NaN where the case has no such note
per_case.json      classes, device, and chance levels by set, version and row of the tables
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dermnote.errors import NotesError
from dermnote.notes.schema import notes_by_case
from dermnote.storage import replacing_file

from .. import fit
from ..data.cases import Cases
from ..evaluation.embedded_cases import known_to, note_versions
from ..evaluation.provenance import device_name, plain
from ..metrics.alignment import paired_cosine
from ..metrics.retrieval import mean_average_precision
from ..runtime.console import run
from ..training.run_folder import Run, load_run
from .case_views import TESTED, case_files
from .results import DIRECTIONS, rows_of
from .runner import FACTS, TABLE

KEPT = ["case_id", "source", "modality", "split", "group"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the task of a JSON file written by `train.comparison.runner`."""
    (path,) = sys.argv[1:] if argv is None else argv
    task = json.loads(Path(path).read_text(encoding="utf-8"))
    inputs = ["--cases", task["cases"], *(["--notes", task["notes"]] if task["notes"] else [])]
    fit.main(["--config", task["config"], *inputs, "--out", task["run"], "--resume"])
    if task["evaluate"]:
        from .. import evaluate  # its packages take seconds to import; studies of many small runs skip it

        device = ["--device", task["device"]] if task["device"] else []
        evaluate.main(["--run", task["run"], *inputs, "--bootstrap", str(task["bootstrap"]), *device])
    write_per_case(load_run(task["run"]), task["tested"], task["queries"], device=task["device"])
    return 0


def write_per_case(
    run: Run, cases: str, queries: Mapping[str, Mapping[str, str]], *, device: str | None = None, batch_size: int = 64
) -> None:
    """Evaluate a run on the test and external cases of a folder, and write the two files into the run folder.

    Args:
        run: A finished run.
        cases: A cases folder.
        queries: By name of the set, the notes file ("notes") and strategy ("strategy"); of several sets only the
            cases with a note in each are searched with.
        device: Where to compute; None uses a GPU if there is one.
        batch_size: Images or notes in one pass.

    Raises:
        NotesError: A set has no note for any of the cases.
    """
    import torch

    from ..training.embedding import embed_cases, embed_texts, unit_rows

    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    splits = [split for split in TESTED if any(path.name.startswith(f"{split}-") for path in case_files(Path(cases)))]
    shown = known_to(run, Cases.read(cases, splits=splits))
    seen = embed_cases(run.model, shown, None, batch_size, where, progress=False)
    classes = run.config.classnames
    table = shown.table[KEPT].assign(class_id=shown.table["label"].map(classes.index).to_numpy(np.int64))
    table = pd.concat([table, pd.DataFrame(seen.logits).add_prefix("logit:")], axis=1)
    facts: dict[str, Any] = {"classnames": classes, "device": device_name(where), "queries": {}}
    for name, by_case in _query_notes(table["case_id"], queries if run.model.text_encoder else {}).items():
        facts["queries"][name] = {}
        for version, texts in note_versions(shown, by_case, classes).items():
            noted = texts != ""
            notes = np.zeros_like(seen.image)
            notes[noted] = unit_rows(embed_texts(run.model, list(texts[noted]), batch_size, where))
            columns, facts["queries"][name][version] = _retrieve(table, seen.image, notes, noted, f"{name}:{version}")
            table = table.assign(**columns)
    with replacing_file(run.folder / TABLE) as temporary:
        table.to_parquet(temporary, index=False)
    with replacing_file(run.folder / FACTS) as temporary:
        temporary.write_text(json.dumps(plain(facts), indent=1) + "\n", encoding="utf-8")


def _query_notes(case_ids: Sequence[str], queries: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Return the query notes by set and case, of the cases with a note in every set."""
    found, shared = {}, set(case_ids)
    for name, query in queries.items():
        notes = notes_by_case(query["notes"], [query["strategy"]])
        if notes.keys().isdisjoint(case_ids):
            raise NotesError(f"{query['notes']} has no {query['strategy']} note for any of the {len(case_ids)} cases.")
        shared &= notes.keys()
        found[name] = {case_id: each[query["strategy"]] for case_id, each in notes.items()}
    return {name: {case_id: notes[case_id] for case_id in shared} for name, notes in found.items()}


def _retrieve(
    table: pd.DataFrame, image: np.ndarray, notes: np.ndarray, noted: np.ndarray, prefix: str
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the columns of one version of a set of notes, and the chance levels by row of the tables.

    Queries and gallery are the noted cases of each split.

    Args:
        table: n cases.
        image: (n, d) unit rows.
        notes: (n, d) unit rows, zeros where there is no note.
        noted: (n,) whether the case has a note.
        prefix: SET:VERSION, for the names of the columns.
    """
    columns = {f"cosine:{prefix}": np.full(len(table), np.nan)}
    columns |= {f"ap:{prefix}:{direction}": np.full(len(table), np.nan) for direction in DIRECTIONS}
    rows = rows_of(table)
    chance: dict[str, Any] = {row: {} for row in rows}
    labels, splits = table["class_id"].to_numpy(), table["split"].to_numpy()
    for split in np.unique(splits[noted]):
        here = np.flatnonzero(noted & (splits == split))
        columns[f"cosine:{prefix}"][here] = paired_cosine(image[here], notes[here]).paired
        sides = ((image, notes), (notes, image))  # in the order of DIRECTIONS
        for direction, (query, gallery) in zip(DIRECTIONS, sides, strict=True):
            found = mean_average_precision(query[here], gallery[here], labels[here], labels[here])
            columns[f"ap:{prefix}:{direction}"][here] = found.average_precision
            for row, mask in rows.items():
                if mask[here].any():
                    chance[row][direction] = found.take(np.flatnonzero(mask[here])).chance
    for row, mask in rows.items():
        inside = mask & noted
        if inside.sum() > 1:
            chance[row]["random_pairs"] = paired_cosine(image[inside], notes[inside]).random_pairs
        chance[row]["n_queries"] = int(inside.sum())
    return columns, chance


if __name__ == "__main__":
    run(main)
