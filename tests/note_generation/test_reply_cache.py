"""The cache of replies."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import pytest

from dermnote.errors import NotesError
from dermnote.llm.llm_errors import Usage
from dermnote.llm.responses import Reply
from tests.conftest import REPOSITORY
from train.note_generation.reply_cache import ReplyCache

REPLY = Reply('{"a": "ä"}', Usage(10, 2, 1), "served-model")


def test_a_reply_is_there_for_others_as_soon_as_it_is_added(tmp_path):
    path = tmp_path / "new" / "replies.sqlite"
    with ReplyCache(path) as cache, ReplyCache(path) as other:
        assert cache.get("k") is None
        cache.add("k", REPLY, "p3", "model")
        assert other.get("k") == REPLY.text
        cache.add("k", Reply("{}", Usage(), "m"), "p3", "model")
        assert other.get("k") == "{}"


def test_a_killed_process_loses_none(tmp_path):
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        "from dermnote.llm.responses import Reply\nfrom dermnote.llm.llm_errors import Usage\n"
        "from train.note_generation.reply_cache import ReplyCache\n"
        "cache = ReplyCache(Path(sys.argv[1]))\n"
        "for i in range(50):\n    cache.add(f'k{i}', Reply('{}', Usage(1, 1, 1), 'm'), 'p3', 'm')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    path = tmp_path / "replies.sqlite"
    assert subprocess.run([sys.executable, "-c", code, str(path)], cwd=REPOSITORY, check=False).returncode == -9
    with ReplyCache(path, read_only=True) as cache:
        assert cache.get("k49") == "{}"
    with ReplyCache(path) as cache:
        assert all(cache.get(f"k{i}") == "{}" for i in range(50))


def test_it_can_be_read_with_any_tool(tmp_path):
    path = tmp_path / "replies.sqlite"
    with ReplyCache(path) as cache:
        cache.add("k", REPLY, "p3", "model")
    row = sqlite3.connect(path).execute("SELECT key, strategy, model, served_by, prompt_tokens FROM replies").fetchone()
    assert row == ("k", "p3", "model", "served-model", 10)


def test_reading_only_leaves_no_trace(tmp_path):
    with ReplyCache(tmp_path / "none.sqlite", read_only=True) as cache:
        assert cache.get("k") is None
    assert not list(tmp_path.iterdir())
    with ReplyCache(tmp_path / "replies.sqlite") as cache:
        cache.add("k", REPLY, "p3", "model")
    with ReplyCache(tmp_path / "replies.sqlite", read_only=True) as cache:
        assert cache.get("k") == REPLY.text
        assert list(tmp_path.iterdir()) == [tmp_path / "replies.sqlite"]


def test_another_kind_of_file_is_named_and_left_alone(tmp_path):
    path = tmp_path / "replies.sqlite"
    path.write_text("my own words, of some length, " * 50)
    before = path.read_bytes()
    with pytest.raises(NotesError, match=r"replies\.sqlite cannot be used.*--cache"):
        ReplyCache(path)
    assert path.read_bytes() == before
