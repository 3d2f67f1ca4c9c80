"""The benchmark of the app runs, and counts what its visitors meet as what it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from launching import launched
from PIL import Image
from standin import StandIn, as_jpeg, scribble

from dermnote.app import launch
from tests.benchmarks import app as benchmark
from tests.benchmarks.app_parts.server import AppServer
from tests.benchmarks.app_parts.visitors import QUESTIONS, Crowd, distinct


@pytest.fixture
def url() -> Iterator[str]:
    with launched() as url:
        yield url


def test_the_command_prints_a_table_and_writes_json(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Here(AppServer):
        """Stands for the process: the page is served by this one, and stays when it is "killed"."""

        def __init__(self, work: Path) -> None:
            super().__init__(work)
            self.url = url

        def start(self) -> float:
            return 0.0

        kill = stop = lambda self: None
        memory_mb = processor_seconds = lambda self: 1.0

    monkeypatch.setattr(benchmark, "AppServer", Here)
    monkeypatch.setattr(benchmark.DermNote, "from_pretrained", lambda device: Bytes())
    assert benchmark.main(["--small", "--json", str(tmp_path / "app.json")]) == 0
    told = json.loads((tmp_path / "app.json").read_text())
    assert told["crowd"]["answered"] >= 4 and told["crowd"]["lost"] == 0
    assert told["growth"]["by_question"] == dict.fromkeys(QUESTIONS, 2)  # in turn, wherever the crowd left off
    assert told["restart"]["outcomes"] == ["answered"] and told["alone"]["over HTTP"] > 0
    assert "killed, answers again" in capsys.readouterr().out


class Bytes(StandIn):
    def classify(self, image: Any, modality: str | None = "dermoscopy") -> Any:
        return super().classify(Image.new("RGB", (8, 8)), modality)


def test_a_refusal_is_no_loss_and_anything_else_is_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pictures, once = [as_jpeg(scribble(1), dpi=(72, 72))], iter(range(3))
    monkeypatch.setattr(launch, "QUEUE", 0)
    with launched() as full:
        visits = Crowd(full, pictures).visits(3, lambda _: next(once, None) is not None)
    assert [each.outcome for each in visits] == ["refused"] * 3
    nobody, once = Crowd(full, pictures), iter(range(2))
    assert [each.outcome for each in nobody.visits(2, lambda _: next(once, None) is not None)] == ["lost"] * 2
    told = benchmark.summary(visits)
    assert (told["answered"], told["refused"], told["lost"]) == (0, 3, 0)


def test_each_visit_brings_another_file_with_the_same_picture() -> None:
    picture = as_jpeg(scribble(1), dpi=(72, 72))
    files = {distinct(picture, number) for number in range(300)}
    assert len(files) == 300
    with pytest.raises(ValueError, match="JFIF"):
        distinct(b"no picture", 1)
