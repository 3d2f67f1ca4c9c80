"""The command on a few squares, against a local language model server."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dermnote.notes.schema import NoteRow, read_notes
from tests.servers.llm_server import LlmServer, running
from tests.tiny_cases import write_cases
from train import generate_notes

COUNT = 12
Generate = Callable[..., int]


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve cases, four of each of three classes."""
    return write_cases(tmp_path_factory.mktemp("squares") / "cases", [0, 1, 2] * (COUNT // 3), [])


@pytest.fixture
def server() -> Iterator[LlmServer]:
    with running() as server:
        yield server


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "notes" / "notes.jsonl"


@pytest.fixture
def generate(squares: Path, server: LlmServer, out: Path, monkeypatch: pytest.MonkeyPatch) -> Generate:
    """Runs the step and returns its exit status."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "DERMNOTE_LLM"):
        monkeypatch.delenv(name, raising=False)

    def run(*more: str, cases: Path = squares, url: str = "") -> int:
        common = ["--cases", str(cases), "--out", str(out), "--base-url", url or server.url, "--max-retries", "0"]
        return generate_notes.main([*common, *more])

    return run


def failures_of(out: Path) -> list[dict[str, Any]]:
    path = out.with_name("failures.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def check_exact(out: Path, strategy: str = "p3", count: int = COUNT) -> list[NoteRow]:
    """Every case has exactly one note of the strategy, on a whole line."""
    assert out.read_bytes().endswith(b"\n")
    rows = [row for row in read_notes(out) if row.note.strategy == strategy]
    assert Counter(row.case_id for row in rows) == {f"squares/train-{i}": 1 for i in range(count)}
    return rows
