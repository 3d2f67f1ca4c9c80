"""The benchmark runs on any notes file, and real notes meet its targets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks.audit import diagnoses, main, named_findings
from tests.places import REAL_DATA

KEYS = ("isic_id", "strategy", "true_class", "stated_class", "note")
ROWS = (
    *(("A", "p3", "melanoma", "melanoma", "Favours melanoma."), ("B", "p3", "melanoma", "dermatofibroma", "A DF.")),
    *(("C", "p3", None, "melanoma", "Favours a nevus."), ("E", "m+p2", None, None, "A plaque.")),
)
WITH_FINDINGS = {"isic_id": "D", "strategy": "m+p1", "true_class": "melanoma", "note": "Red."}


def test_each_figure_counts_its_rows(tmp_path: Path) -> None:
    rows = [dict(zip(KEYS, row, strict=True)) for row in ROWS]
    rows.append({**WITH_FINDINGS, "findings": {"colours": ["red", "white"]}})
    notes, out = tmp_path / "notes.jsonl", tmp_path / "figures.json"
    notes.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert main(["--notes", str(notes), "--json", str(out)]) == 0
    read = {each["name"].strip(): each for each in json.loads(out.read_text(encoding="utf-8"))["figures"]}
    assert (read["p3: asserted class found"]["value"], read["p3: asserted class found"]["n"]) == (2 / 3, 3)
    recall = read["p3: wrong diagnoses flagged (recall)"]
    assert (recall["value"], recall["n"], recall["met"]) == (1.0, 2, True)
    named = read["m+p1: findings named in the text (micro F1)"]
    assert (round(named["value"], 3), named["n"], named["met"]) == (0.667, 1, False)


@pytest.mark.real_data
def test_real_notes_meet_the_targets() -> None:
    path = REAL_DATA.parent / "llm_notes" / "notes.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    read = [*diagnoses(rows, []), *named_findings(rows, [])]
    assert [figure.name for figure in read if figure.met is False] == []
    assert sum(figure.met is True for figure in read) == 5
