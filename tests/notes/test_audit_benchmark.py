"""The benchmark runs on any notes file, counts what it says, and passes over what a row lacks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks.audit import false_alarms, main, named_findings, stated_classes, wrong_diagnoses
from tests.places import REAL_DATA

ROWS = (
    {
        "isic_id": "A",
        "strategy": "p3",
        "true_class": "melanoma",
        "stated_class": "melanoma",
        "note": "Favours melanoma.",
    },
    {
        "isic_id": "B",
        "strategy": "p3",
        "true_class": "melanoma",
        "stated_class": "dermatofibroma",
        "note": "It is a DF.",
    },
    {"isic_id": "C", "strategy": "p3", "stated_class": "melanoma", "note": "Favours a nevus."},
    {
        "isic_id": "D",
        "strategy": "m+p1",
        "true_class": "melanoma",
        "note": "Red.",
        "findings": {"colours": ["red", "white"]},
    },
    {"isic_id": "E", "strategy": "m+p2", "note": "A plaque."},
)


def figures(rows: list[dict[str, object]], folder: Path) -> dict[str, dict[str, object]]:
    notes, out = folder / "notes.jsonl", folder / "figures.json"
    notes.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert main(["--notes", str(notes), "--json", str(out)]) == 0
    return {each["name"].strip(): each for each in json.loads(out.read_text(encoding="utf-8"))["figures"]}


def test_each_figure_counts_what_it_says(tmp_path: Path) -> None:
    read = figures([dict(row) for row in ROWS], tmp_path)
    assert (read["p3: asserted class found"]["value"], read["p3: asserted class found"]["n"]) == (2 / 3, 3)
    recall = read["p3: wrong diagnoses flagged (recall)"]
    assert (recall["value"], recall["n"], recall["met"]) == (1.0, 2, True)
    named = read["m+p1: findings named in the text (micro F1)"]
    assert (round(named["value"], 3), named["n"], named["met"]) == (0.667, 1, False)


@pytest.mark.real_data
def test_real_notes_meet_the_targets() -> None:
    path = REAL_DATA.parent / "llm_notes" / "notes.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    missed: list[str] = []
    measures = (stated_classes, wrong_diagnoses, false_alarms, named_findings)
    read = [figure for measure in measures for figure in measure(rows, missed)]
    assert [figure.name for figure in read if figure.met is False] == []
    assert sum(figure.met is True for figure in read) == 5
