from __future__ import annotations

import csv
from pathlib import Path

import pytest

from dermnote.spreadsheet import inert
from train.data.cases_writer import write_rejected
from train.data.sources.raw_case import Rejected


@pytest.mark.parametrize("cell", ["=HYPERLINK(1)", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1"])
def test_what_a_spreadsheet_would_run_is_text(cell: str) -> None:
    assert inert(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["a=b", "nevus", "", -1.5, 7, None])
def test_anything_else_stays(cell: object) -> None:
    assert inert(cell) == cell


def test_a_table_we_write_of_what_others_wrote_runs_nothing(tmp_path: Path) -> None:
    write_rejected(tmp_path / "rejected.csv", [Rejected("mine", "=cmd|' /C calc'!A0", 2, "@odd")])
    with (tmp_path / "rejected.csv").open(newline="", encoding="utf-8") as stream:
        assert list(csv.reader(stream))[1] == ["mine", "'=cmd|' /C calc'!A0", "2", "'@odd"]
