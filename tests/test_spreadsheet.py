from __future__ import annotations

import pytest

from dermnote.spreadsheet import inert


@pytest.mark.parametrize("cell", ["=HYPERLINK(1)", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1"])
def test_what_a_spreadsheet_would_run_is_text(cell: str) -> None:
    assert inert(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["a=b", "nevus", "", -1.5, 7, None])
def test_anything_else_stays(cell: object) -> None:
    assert inert(cell) == cell
