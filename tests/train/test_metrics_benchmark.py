"""The benchmark of measures runs, and its contenders measure the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.metrics import main, table
from tests.benchmarks.metrics_parts.contenders import CONTENDERS, made


def test_contenders_come_to_the_same() -> None:
    pictures, notes, labels = made(70, 16)
    ours = CONTENDERS["dermnote"](pictures, notes, labels)
    assert CONTENDERS["scikit-learn"](pictures, notes, labels) == pytest.approx(ours)
    assert len(np.unique(pictures, axis=0)) == 70 and 0.2 < ours < 0.9


def test_torchmetrics_comes_to_the_same() -> None:
    pytest.importorskip("torchmetrics")
    pictures, notes, labels = made(70, 16)
    ours = CONTENDERS["dermnote"](pictures, notes, labels)
    assert CONTENDERS["torchmetrics"](pictures, notes, labels) == pytest.approx(ours, abs=1e-5)


def test_the_command_prints_a_table_and_writes_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.benchmarks.metrics.CONTENDERS", ["dermnote"])
    assert main(["--size", "80", "--peer-size", "60", "--threads", "1", "--json", str(tmp_path / "m.json")]) == 0
    told = json.loads((tmp_path / "m.json").read_text())
    assert [row["vectors"] for row in told["figures"]] == [80, 60]
    assert all(row["image_to_text_s"] > 0 and row["peak_mb"] > row["before_mb"] > 0 for row in told["figures"])
    printed = capsys.readouterr().out
    assert "| 80 | dermnote |" in printed and "matrix products of dermnote: " in printed


def test_a_peer_that_differs_is_told() -> None:
    row = {"vectors": 9, "measured by": "dermnote", "image_to_text_s": 1.0, "text_to_image_s": 2.0, "peak_mb": 5}
    row |= {"before_mb": 4, "map_image_to_text": 0.5, "map_text_to_image": 0.5}
    told = table([row, {**row, "measured by": "other", "map_text_to_image": 0.52}, {**row, "measured by": "third"}])
    assert told.splitlines()[3].endswith("| NO, 2.0e-02 apart |") and told.splitlines()[4].endswith("| yes |")
