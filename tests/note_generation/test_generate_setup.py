"""What is settled before the first request: files that must not meet, and runs that could come to nothing."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dermnote.errors import NotesError
from dermnote.notes.schema import read_notes
from tests.note_generation.conftest import COUNT, failures_of
from tests.tiny_cases import NAMES, case_row, write_cases
from train.data.cases import schema


def cases_of(folder: Path, *rows: dict[str, object]) -> Path:
    write_cases(folder, [0], [])
    table = pa.Table.from_pylist(list(rows), schema=schema())
    pq.write_table(table, folder / "data" / "train-00000-of-00001.parquet")
    return folder


def test_runs_side_by_side_leave_each_others_files_alone(generate, server, out):
    server.always("refusal")
    assert generate("--strategy", "p3") == 3
    server.always(None)
    others, oddly_named = out.with_name("others.jsonl"), out.parent / "more" / "failures.jsonl"
    assert generate("--strategy", "p3", "--out", str(others)) == 0
    assert len(failures_of(out)) == COUNT and len(read_notes(others)) == COUNT
    assert generate("--strategy", "p3", "--out", str(oddly_named)) == 0
    assert len(read_notes(oddly_named)) == COUNT


def test_the_template_is_tried_before_anything_is_sent(generate, server, out, tmp_path):
    folder = cases_of(tmp_path / "blank", {**case_row("train", 0, 0, NAMES), "label": None, "subtype": None})
    with pytest.raises(NotesError, match="None of the 1 cases has metadata"):
        generate("--strategy", "p3", "m", cases=folder)
    assert not server.chats
    assert generate("--strategy", "p3", cases=folder) == 0


def test_a_vocabulary_without_features_is_refused_before_anything_is_sent(generate, server, tmp_path):
    bare = tmp_path / "bare.yaml"
    bare.write_text("{name: bare, picture: a nail, classes: taxonomy}")
    with pytest.raises(NotesError, match="vocabulary 'bare' has none"):
        generate("--strategy", "mix", "--vocabulary", str(bare))
    assert not server.chats


def test_notes_and_replies_never_share_a_file(generate, out):
    with pytest.raises(NotesError, match="--cache and --out are the same file"):
        generate("--strategy", "p3", "--cache", str(out))


def test_a_dry_run_passes_over_a_damaged_picture(generate, tmp_path, capsys):
    bad = {**case_row("train", 0, 0, NAMES), "image": {"bytes": b"no picture", "path": None}}
    folder = cases_of(tmp_path / "damaged", bad, case_row("train", 1, 1, NAMES))
    assert generate("--strategy", "p3", "--dry-run", cases=folder) == 0
    assert "data:image/jpeg" in capsys.readouterr().out
