"""What is downloaded of a batch: a table for people, and lines for programs. Both say what they are not."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from dermnote.app.batch.batch_results import Results
from dermnote.app.batch.batch_run import Outcome
from dermnote.app.batch.metadata_table import KNOWN
from dermnote.app.cards import RESEARCH_ONLY
from dermnote.storage import inert

DIGITS = 6


def as_csv(results: Results) -> str:
    """A row a picture: file, record, predicted class, probability of every class, how far it is, note, error."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    classes = [f"p_{name.replace(' ', '_')}" for name in results.classnames]
    heads = ["file", *(f"recorded_{name}" for name in KNOWN), "predicted_class", "predicted_malignancy", "probability"]
    writer.writerow(
        map(inert, [*heads, *classes, "unlike_training", "note", "error", "kind_of_picture", "model", "caution"])
    )
    for outcome in results.outcomes:
        cells = (*_cells(outcome, results), results.kind, results.model, RESEARCH_ONLY)
        writer.writerow(map(inert, cells))
    return written.getvalue()


def as_jsonl(results: Results) -> str:
    """A line a picture: the same as JSON, with the note's audit."""
    return "".join(json.dumps(_line(outcome, results), ensure_ascii=False) + "\n" for outcome in results.outcomes)


def _cells(outcome: Outcome, results: Results) -> Iterator[object]:
    record = outcome.record.to_mapping()
    shares = {each.label: round(each.probability, DIGITS) for each in outcome.predictions}
    likeliest = outcome.predictions[0] if outcome.predictions else None
    yield outcome.name
    yield from (record.get(name, "") for name in KNOWN)
    yield from (likeliest.label, likeliest.malignancy or "", shares[likeliest.label]) if likeliest else ("", "", "")
    yield from (shares.get(name, "") for name in results.classnames)
    yield "" if outcome.novelty is None else str(outcome.novelty.far).lower()
    yield from (outcome.note.text if outcome.note else "", outcome.error)


def _line(outcome: Outcome, results: Results) -> dict[str, Any]:
    note = outcome.note
    return {
        "file": outcome.name,
        "record": outcome.record.to_mapping(),
        "classes": [
            {"label": each.label, "probability": round(each.probability, DIGITS), "malignancy": each.malignancy}
            for each in outcome.predictions
        ],
        "unlike_training": outcome.novelty and outcome.novelty.far,
        "note": note and note.text,
        "strategy": note and note.strategy,
        "prompt_version": note and note.prompt_version,
        "audit": note and note.audit,
        "error": outcome.error or None,
        "kind_of_picture": results.kind,
        "model": results.model,
        "caution": RESEARCH_ONLY,
    }
