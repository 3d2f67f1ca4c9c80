"""The serving benchmark runs on small networks, and writes its figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks import serving


@pytest.mark.slow
def test_the_serving_benchmark_prints_lines_and_writes_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "starts", lambda rounds: ["import dermnote: not timed here"])
    monkeypatch.setattr(serving, "BATCH", 8)
    assert serving.main(["--small", "--rounds", "1", "--json", str(tmp_path / "s.json")]) == 0
    report = json.loads((tmp_path / "s.json").read_text())
    assert [row["what"] for row in report["figures"]] == ["one image", "many images", "many notes"]
    assert all(row["ours"] > 0 and row["other"] > 0 for row in report["figures"])
    assert "target: at most 1.3" in capsys.readouterr().out
