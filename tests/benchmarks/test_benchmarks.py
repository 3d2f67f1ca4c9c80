"""The benchmarks of metrics, serving and training run on small inputs, and write their figures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.benchmarks import metrics, serving, training

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_metrics(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "m.json"
    assert metrics.main(["--size", "80", "--peer-size", "60", "--threads", "1", "--json", str(out)]) == 0
    rows = json.loads(out.read_text())["figures"]
    assert [row["vectors"] for row in rows[:2]] == [80, 60] and rows[2]["measured by"] == "scikit-learn"
    assert all(row["image_to_text_s"] > 0 and row["peak_mb"] > row["before_mb"] > 0 for row in rows)
    printed = capsys.readouterr().out
    assert "| yes |" in printed and "NO," not in printed


def test_serving(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "starts", lambda rounds: ["import dermnote: not timed here"])
    monkeypatch.setattr(serving, "BATCH", 8)
    assert serving.main(["--small", "--rounds", "1", "--json", str(tmp_path / "s.json")]) == 0
    report = json.loads((tmp_path / "s.json").read_text())
    assert [row["what"] for row in report["figures"]] == ["one image", "many images", "many notes"]
    assert all(row["ours"] > 0 and row["other"] > 0 for row in report["figures"])
    assert "target: at most 1.3" in capsys.readouterr().out


def test_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "training.json"
    small = ["--pair", "small", "--batch", "4", "--steps", "2", "--repeats", "1", "--images", "12"]
    assert training.main([*small, "--peer-workers", "1", "--set", "ema=0.9", "--json", str(out)]) == 0
    printed, report = capsys.readouterr().out, json.loads(out.read_text(encoding="utf-8"))
    assert len(report["tables"]) == len(training.SECTIONS) + 1
    figures = [(table["title"], figure) for table in report["tables"] for figure in table["figures"]]
    assert all(title in printed and figure["name"] in printed for title, figure in figures)
    gpu = torch.cuda.is_available()
    assert all(figure["value"] > 0 for _, figure in figures if gpu or "no GPU" not in figure["remark"])
    assert {figure["target"] for _, figure in figures} >= {2.8, 8.0, 1.8, 1.0, 10.0}
