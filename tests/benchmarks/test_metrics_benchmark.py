"""The metrics benchmark runs, and its contenders agree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks.metrics import main


@pytest.mark.slow
def test_the_metrics_benchmark_prints_a_table_and_writes_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--size", "80", "--peer-size", "60", "--threads", "1", "--json", str(tmp_path / "m.json")]) == 0
    rows = json.loads((tmp_path / "m.json").read_text())["figures"]
    assert [row["vectors"] for row in rows[:2]] == [80, 60] and rows[2]["measured by"] == "scikit-learn"
    assert all(row["image_to_text_s"] > 0 and row["peak_mb"] > row["before_mb"] > 0 for row in rows)
    printed = capsys.readouterr().out
    assert "| yes |" in printed and "NO," not in printed
