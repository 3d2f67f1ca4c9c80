"""The benchmark of serving runs, and says what it measured against what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks import serving


def test_the_command_prints_lines_and_writes_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "starts", lambda rounds: ["import dermnote: not timed here"])
    monkeypatch.setattr(serving, "BATCH", 8)
    assert serving.main(["--small", "--rounds", "1", "--json", str(tmp_path / "s.json")]) == 0
    told = json.loads((tmp_path / "s.json").read_text())
    assert [row["what"] for row in told["figures"]] == ["one picture", "many pictures", "many notes"]
    assert all(row["ours"] > 0 and row["other"] > 0 for row in told["figures"])
    assert "asked: at most 1.3" in capsys.readouterr().out


def test_turns_are_taken_and_the_first_is_not_counted() -> None:
    calls: list[str] = []
    times = serving.in_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 2)
    assert calls == ["a", "b"] * 3 and set(times) == {"a", "b"}
