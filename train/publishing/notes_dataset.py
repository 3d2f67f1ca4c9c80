"""Notes of cases as a Hub dataset with the origin of each note, without images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from dermnote import __version__
from dermnote.errors import NotesError
from dermnote.notes.schema import iterate_notes
from dermnote.notes.strategies import get_strategy

from ..data.cases import Cases
from ..runtime.card_template import cell, fill_card
from .licences import strictest


def write_notes_dataset(folder: Path, cases: Cases, notes: str | Path, repo_id: str) -> None:
    """Write notes.parquet and its card into an empty folder.

    Of the metadata only the class is included: no age, sex, body site or patient.
    Notes of cases that are not in `cases` are left out.

    Raises:
        NotesError: None of the notes is of one of the cases.
    """
    known = cases.table.set_index("case_id")[["source", "split", "label"]]
    rows = [
        {
            "case_id": row.case_id,
            **known.loc[row.case_id].to_dict(),
            **{"strategy": row.note.strategy, "model": row.note.model, "prompt_version": row.note.prompt_version},
            "note": row.note.text,
            "contradicted": None if row.note.audit is None else row.note.audit.get("contradicted"),
        }
        for row in iterate_notes(notes)
        if row.case_id in known.index
    ]
    if not rows:
        raise NotesError(f"{notes} has no note of the cases given.", "Are these the notes of these cases?")
    table = pd.DataFrame(rows).drop_duplicates(["case_id", "strategy"], keep="last")  # of duplicates, the latest
    table["contradicted"] = table["contradicted"].astype("boolean")
    table.to_parquet(folder / "notes.parquet", index=False)
    (folder / "README.md").write_text(_card(table, cases.summary, repo_id), encoding="utf-8")


def _card(table: pd.DataFrame, summary: Mapping[str, Any], repo_id: str) -> str:
    counts = table["source"].value_counts()
    sources = [{"name": name, "notes": int(count), **_about(name, summary)} for name, count in counts.items()]
    strategies = set(table["strategy"])
    return fill_card(
        "notes_card.md",
        licence=strictest(each["licence"] for each in sources),
        count=len(table),
        cases=table["case_id"].nunique(),
        repo_id=repo_id,
        writers=[_writer(names, each) for names, each in table.groupby(["strategy", "model"])],
        by_model=any(get_strategy(name).needs_model for name in strategies),
        by_record=bool(strategies - {"p3"}),
        sources=sources,
        version=__version__,
    )


def _writer(names: Any, notes: pd.DataFrame) -> dict[str, Any]:
    strategy, model = names
    checked = notes["contradicted"].dropna()
    contradicted = f"{int(checked.sum())} of {len(checked)}" if len(checked) else "not checked"
    return {"strategy": strategy, "model": model, "notes": len(notes), "contradicted": contradicted}


def _about(name: str, summary: Mapping[str, Any]) -> dict[str, str]:
    source = summary["sources"][name]
    return {"licence": source["licence"], "citation": cell(source["citation"])}
