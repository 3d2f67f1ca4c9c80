"""The client against another server: `transformers serve`, with tiny vision models built on the spot."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dermnote.llm.llm_errors import CutOffError, MalformedError
from dermnote.notes.writing import NoteWriter
from tests.llm.note_requests import answer_to, request_for, small_jpeg

pytestmark = pytest.mark.slow
ANSWER = {"asymmetry": "asymmetric", "border": "mixed", "colours": ["black", "red"], "structures": ["dots"]}
START = 120  # seconds; the server loads torch first


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.tiny_vision_model import build_tiny_vision_model

    folder = tmp_path_factory.mktemp("models")
    build_tiny_vision_model(folder / "knows-one-answer", json.dumps(ANSWER))
    build_tiny_vision_model(folder / "says-another-thing", "I see a lesion.")
    build_tiny_vision_model(folder / "left-to-chance", None)
    return folder


@pytest.fixture(scope="module")
def served(models: Path) -> Iterator[str]:
    """Base URL of a running `transformers serve`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # like the command `transformers serve`, without the other commands, which need further packages
    serve = f"from transformers.cli.serve import Serve; Serve(host='127.0.0.1', port={port}, device='cpu')"
    command = [sys.executable, "-c", serve]
    settings = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1"}
    log = models / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, env=os.environ | settings, stdout=output, stderr=output)
    try:
        _wait_until_healthy(f"http://127.0.0.1:{port}/health", server, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.kill()
        server.wait()


def _wait_until_healthy(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START
    while True:
        assert server.poll() is None and time.monotonic() < until, f"No server: {log.read_text()[-2000:]}"
        with suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.1)


def test_a_note_with_its_picture_through_a_real_server(served, models):
    model = str(models / "knows-one-answer")
    writer = NoteWriter(model, base_url=served, timeout=60, max_retries=0)
    request = request_for("m+p1", model=model)
    reply = answer_to(writer, request)
    assert json.loads(reply.text) == {**ANSWER, "colours": ["red", "black"]}
    assert reply.served_by.startswith(model)
    assert reply.usage.requests == 1
    assert reply.usage.completion_tokens in (1, 2)  # the answer is one token of this model; its end may count
    blind = answer_to(writer, request, picture=False)
    assert reply.usage.prompt_tokens - blind.usage.prompt_tokens >= 16  # the picture stood in the prompt: 4 x 4 patches
    note = writer.write(request, small_jpeg())
    assert note.text.endswith("Colours: red, black. Dermoscopic structures: dots.")
    assert note.model == model


def test_an_answer_that_is_no_json_is_repaired_once_and_counted(served, models):
    model = str(models / "says-another-thing")
    with pytest.raises(MalformedError, match="no JSON object") as caught:
        answer_to(NoteWriter(model, base_url=served, max_retries=0), request_for("p3", model=model))
    assert caught.value.usage.requests == 2
    assert caught.value.usage.prompt_tokens > 2 * 16


def test_an_answer_without_end_is_cut_off_at_the_strategys_limit(served, models):
    model = str(models / "left-to-chance")
    with pytest.raises(CutOffError, match="300 tokens") as caught:
        answer_to(NoteWriter(model, base_url=served, max_retries=0), request_for("m+p1", model=model))
    assert caught.value.usage.completion_tokens == 300
