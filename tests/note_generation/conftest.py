"""The command on a few small cases, against a local language model server."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dermnote.notes.schema import NoteRow, read_notes
from tests.servers.llm_server import LlmServer
from tests.tiny_cases import NAMES, case_row, write_cases
from train import generate_notes
from train.data.cases import schema

COUNT = 12
Generate = Callable[..., int]


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve cases, four of each of three classes."""
    return write_cases(tmp_path_factory.mktemp("squares") / "cases", [0, 1, 2] * (COUNT // 3), [])


@pytest.fixture
def server(llm_server: LlmServer) -> LlmServer:
    return llm_server


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "notes" / "notes.jsonl"


@pytest.fixture
def generate(squares: Path, server: LlmServer, out: Path, monkeypatch: pytest.MonkeyPatch) -> Generate:
    """Runs the step and returns its exit status."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "DERMNOTE_LLM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("train.note_generation.openai_batch.FIRST_PAUSE_S", 0.01)

    def run(*more: str, cases: Path = squares, url: str = "") -> int:
        common = ["--cases", str(cases), "--out", str(out), "--base-url", url or server.url, "--max-retries", "0"]
        return generate_notes.main([*common, *more])

    return run


def cases_with(folder: Path, *changes: dict[str, Any]) -> Path:
    """Writes cases, one for each mapping of changed columns."""
    write_cases(folder, [0], [])
    rows = [{**case_row("train", row, row % 3, NAMES), **change} for row, change in enumerate(changes)]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema()), folder / "data" / "train-00000-of-00001.parquet")
    return folder


def failures_of(out: Path) -> list[dict[str, Any]]:
    path = out.with_name("failures.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def replies_in(out: Path) -> int:
    with sqlite3.connect(out.with_name("notes.replies.sqlite")) as base:
        return int(base.execute("SELECT count(*) FROM replies").fetchone()[0])


def keep_first_rows(out: Path, count: int) -> None:
    """Removes all rows but the first."""
    out.write_bytes(b"".join(out.read_bytes().splitlines(keepends=True)[:count]))


def notes_by_case_id(out: Path, strategy: str = "p3", count: int = COUNT) -> dict[str, Any]:
    """Returns the notes of a strategy by case, of which every case must have exactly one, on a whole line."""
    assert out.read_bytes().endswith(b"\n")
    rows: list[NoteRow] = [row for row in read_notes(out) if row.note.strategy == strategy]
    assert Counter(row.case_id for row in rows) == {f"squares/train-{i}": 1 for i in range(count)}
    return {row.case_id: row.note for row in rows}
