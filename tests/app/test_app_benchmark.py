"""The benchmark of the app runs and counts every visit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from launching import launched
from PIL import Image
from standin import StandIn

from tests.benchmarks import app as benchmark
from tests.benchmarks.app_server import QUESTIONS, AppServer


class BytesModel(StandIn):
    def classify(self, image: Any, modality: str | None = "dermoscopy") -> Any:
        return super().classify(Image.new("RGB", (8, 8)), modality)


@pytest.mark.slow
def test_benchmark_writes_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class InProcess(AppServer):
        """Served by this process, which goes on when it is "killed"."""

        def __init__(self, work: Path) -> None:
            super().__init__(work)
            self.url = url

        def start(self) -> float:
            return 0.0

        kill = stop = lambda self: None
        memory_mb = processor_seconds = lambda self: 1.0

    monkeypatch.setattr(benchmark, "AppServer", InProcess)
    monkeypatch.setattr(benchmark.DermNote, "from_pretrained", lambda device: BytesModel())
    with launched() as url:
        assert benchmark.main(["--small", "--json", str(tmp_path / "app.json")]) == 0
    figures = json.loads((tmp_path / "app.json").read_text())
    assert figures["crowd"]["answered"] >= 4 and figures["crowd"]["lost"] == 0
    assert figures["growth"]["by_question"] == dict.fromkeys(QUESTIONS, 2)
    assert figures["restart"]["outcomes"] == ["answered"] and figures["alone"]["over HTTP"] > 0
