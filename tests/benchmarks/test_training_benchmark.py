"""The training benchmark runs on small encoders, and writes all its tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.benchmarks.training import SECTIONS, main


@pytest.mark.slow
def test_the_training_benchmark_writes_every_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, threads = tmp_path / "training.json", torch.get_num_threads()
    torch.set_num_threads(1)
    small = ["--pair", "small", "--batch", "4", "--steps", "2", "--repeats", "1", "--pictures", "12"]
    try:
        assert main([*small, "--peer-workers", "1", "--set", "ema=0.9", "--json", str(out)]) == 0
    finally:
        torch.set_num_threads(threads)
    printed, report = capsys.readouterr().out, json.loads(out.read_text(encoding="utf-8"))
    assert len(report["tables"]) == len(SECTIONS) + 1
    figures = [(table["title"], figure) for table in report["tables"] for figure in table["figures"]]
    assert all(title in printed and figure["name"] in printed for title, figure in figures)
    gpu = torch.cuda.is_available()
    assert all(figure["value"] > 0 for _, figure in figures if gpu or "no GPU" not in figure["remark"])
    assert {figure["target"] for _, figure in figures} >= {2.8, 8.0, 1.8, 1.0, 10.0}
