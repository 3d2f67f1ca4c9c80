"""What a trained model makes of every held-out case, kept case by case: all tables and differences come from it.

per_case.parquet   case_id, source, modality, split, group, class_id, logit:0 ..., and for each set of query notes
                   and each version of them ap:SET:VERSION:DIRECTION (average precision) and cosine:SET:VERSION;
                   NaN where the case has no such note
per_case.json      classes, device, and for each set, version and row of the tables what chance would score
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dermnote.errors import NotesError
from dermnote.notes.schema import notes_by_case
from dermnote.storage import replacing_file

from ..data.cases import Cases
from ..evaluation.embedded_cases import known_to, note_versions
from ..evaluation.provenance import device_name, plain
from ..metrics.alignment import paired_cosine
from ..metrics.retrieval import Retrieval, mean_average_precision
from ..training.run_folder import Run
from .layout import FACTS, IMAGE_TO_TEXT, TABLE, TEXT_TO_IMAGE
from .rows import rows_of

KEPT = ["case_id", "source", "modality", "split", "group"]


def write_per_case(
    run: Run,
    cases: str | Path,
    queries: Mapping[str, Mapping[str, str]],
    *,
    same_cases: bool = False,
    device: str | None = None,
    batch_size: int = 64,
) -> None:
    """Measures a run on the test and external cases of a folder, and writes the two files into the run's folder.

    Args:
        run: A finished run.
        cases: A cases folder.
        queries: By name of the set, the notes file ("notes") and whose notes of it ("strategy").
        same_cases: Whether only cases with a note in every set take part in the searches.
        device: Where to compute; None takes a GPU if there is one.
        batch_size: Pictures or notes in one pass.

    Raises:
        NotesError: A set has no note for any of the cases.
    """
    import torch

    from ..training.embedding import embed_cases, embed_texts, unit_rows

    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    shown = known_to(run, Cases.read(cases, splits=_held_out(Path(cases))))
    seen = embed_cases(run.model, shown, None, batch_size, where, progress=False)
    names = run.config.classnames
    labels = shown.table["label"].map({name: i for i, name in enumerate(names)}).to_numpy(np.int64)
    table = shown.table[KEPT].assign(class_id=labels)
    table = pd.concat([table, pd.DataFrame(seen.logits).add_prefix("logit:")], axis=1)
    facts: dict[str, Any] = {"classnames": names, "device": device_name(where), "queries": {}}
    texts = {} if run.model.text_encoder is None else _texts(shown, queries, names, same_cases=same_cases)
    for name, versions in texts.items():
        facts["queries"][name] = {}
        for version, written in versions.items():
            noted = written != ""
            vectors = unit_rows(embed_texts(run.model, list(written[noted]), batch_size, where))
            columns, told = _searched(table, seen.image, vectors, noted)
            table = table.assign(**{key.format(f"{name}:{version}"): values for key, values in columns.items()})
            facts["queries"][name][version] = told
    folder = run.folder
    with replacing_file(folder / TABLE) as aside:
        table.to_parquet(aside, index=False)
    with replacing_file(folder / FACTS) as aside:
        aside.write_text(json.dumps(plain(facts), indent=1) + "\n", encoding="utf-8")


def _held_out(cases: Path) -> list[str]:
    return [split for split in ("test", "external") if any((cases / "data").glob(f"{split}-*.parquet"))]


def _texts(
    cases: Cases, queries: Mapping[str, Mapping[str, str]], classnames: tuple[str, ...], *, same_cases: bool
) -> dict[str, dict[str, np.ndarray]]:
    """By set and version, the n texts; "" where a case has none."""
    texts = {}
    for name, query in queries.items():
        notes = notes_by_case(query["notes"], [query["strategy"]])
        by_case = {case_id: each[query["strategy"]] for case_id, each in notes.items()}
        texts[name] = note_versions(cases, by_case, classnames)
        if not (texts[name]["as_written"] != "").any():
            raise NotesError(f"{query['notes']} has no {query['strategy']} note for any of the {len(cases)} cases.")
    if same_cases:
        everywhere = np.logical_and.reduce([versions["as_written"] != "" for versions in texts.values()])
        for versions in texts.values():
            for version, written in versions.items():
                versions[version] = np.where(everywhere, written, "")
    return texts


def _searched(
    table: pd.DataFrame, image: np.ndarray, notes: np.ndarray, noted: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Columns of one version of a set of notes, and what chance would score in each row of the tables.

    Every noted case of a split asks, the noted cases of its split answer.

    Args:
        table: n cases.
        image: (n, d) unit rows.
        notes: (m, d) unit rows of the cases with a note.
        noted: (n,) which they are.
    """
    vectors = np.zeros_like(image)
    vectors[noted] = notes
    labels, splits = table["class_id"].to_numpy(), table["split"].to_numpy()
    columns = {
        key: np.full(len(table), np.nan)
        for key in ("cosine:{}", f"ap:{{}}:{IMAGE_TO_TEXT}", f"ap:{{}}:{TEXT_TO_IMAGE}")
    }
    rows = rows_of(table)
    told: dict[str, Any] = {row: {} for row in rows}
    for split in np.unique(splits[noted]):
        here = np.flatnonzero(noted & (splits == split))
        columns["cosine:{}"][here] = paired_cosine(image[here], vectors[here]).paired
        sides = {IMAGE_TO_TEXT: (image, vectors), TEXT_TO_IMAGE: (vectors, image)}
        for direction, (ask, show) in sides.items():
            found = mean_average_precision(ask[here], show[here], labels[here], labels[here])
            columns[f"ap:{{}}:{direction}"][here] = found.average_precision
            for row, mask in rows.items():
                inside = mask[here]
                if inside.any():
                    told[row][direction] = _chance(found, inside)
    for row, mask in rows.items():
        inside = mask & noted
        if inside.sum() > 1:
            told[row]["random_pairs"] = paired_cosine(image[inside], vectors[inside]).random_pairs
        told[row]["n_queries"] = int(inside.sum())
    return columns, told


def _chance(found: Retrieval, rows: np.ndarray) -> float:
    return found.take(np.flatnonzero(rows)).chance
