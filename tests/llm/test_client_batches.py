"""The writer's client and reader serve OpenAI's batches too: bodies go in, completions come back in any order."""

import asyncio
import io
import json
from typing import Any

import pytest

from dermnote.llm.llm_errors import CutOffError, KeyRefusedError, RefusalError, UnreachableError, WriterError
from dermnote.metadata import LesionMetadata
from dermnote.notes.note_request import NoteRequest
from dermnote.notes.writing import NoteWriter
from tests.llm.note_requests import request_for, small_jpeg
from tests.servers.llm_server import LlmServer, running

REQUESTS = {each.key: each for each in (request_for("m+p1", LesionMetadata(label=f"kind {n}")) for n in range(12))}


async def run_batch(writer: NoteWriter, requests: dict[str, NoteRequest]) -> list[dict[str, Any]]:
    """The result lines of a batch, good and bad, as they lie in its files."""
    lines = [
        {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": writer.body(each, small_jpeg())}
        for key, each in requests.items()
    ]
    content = io.BytesIO("".join(json.dumps(line) + "\n" for line in lines).encode())
    with writer.openai_errors():
        client = writer.client
        sent = await client.files.create(file=("requests.jsonl", content), purpose="batch")
        batch = await client.batches.create(
            input_file_id=sent.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={"dermnote": "run"},
        )
        assert batch.status == "validating"
        seen = []
        while batch.status not in ("completed", "expired", "failed", "cancelled"):
            batch = await client.batches.retrieve(batch.id)
            seen.append(batch.status)
        assert seen[:-1] == ["validating", "in_progress"]
        listed = [each.id async for each in client.batches.list(limit=1)]
        assert listed == [batch.id]
        files = [name for name in (batch.output_file_id, batch.error_file_id) if name]
        texts = [(await client.files.content(name)).text for name in files]
    await writer.aclose()
    return [json.loads(line) for text in texts for line in text.splitlines()]


def test_a_batch_is_joined_by_its_custom_ids(llm_server: LlmServer):
    writer = NoteWriter("x", base_url=llm_server.url)
    rows = asyncio.run(run_batch(writer, REQUESTS))
    assert [row["custom_id"] for row in rows] != list(REQUESTS)  # any order
    assert {row["custom_id"] for row in rows} == set(REQUESTS)
    for row in rows:
        request = REQUESTS[row["custom_id"]]
        assert writer.read_completion(row["response"]["body"], request).text == asyncio.run(ask(writer, request))


async def ask(writer: NoteWriter, request: NoteRequest) -> str:
    try:
        return (await writer.ask(request, small_jpeg())).text
    finally:
        await writer.aclose()


def test_bad_lines_of_a_batch_have_the_same_errors(llm_server: LlmServer):
    faults = dict(zip(REQUESTS, ["refusal", "cut off", "400", "says"], strict=False))
    llm_server.batches.line_fault = faults.get
    writer = NoteWriter("x", base_url=llm_server.url)
    rows = {row["custom_id"]: row for row in asyncio.run(run_batch(writer, REQUESTS))}
    assert len(rows) == len(REQUESTS)
    refused, cut_off, bad, _ = (rows[key]["response"] for key in faults)
    with pytest.raises(RefusalError) as caught:
        writer.read_completion(refused["body"], request_for())
    assert caught.value.usage.prompt_tokens > 0
    with pytest.raises(CutOffError):
        writer.read_completion(cut_off["body"], request_for())
    assert bad["status_code"] == 400
    with pytest.raises(WriterError):
        writer.read_completion(bad["body"], request_for())


def test_an_expired_batch_keeps_what_was_done(llm_server: LlmServer):
    llm_server.batches.fate = "expired"
    rows = asyncio.run(run_batch(NoteWriter("x", base_url=llm_server.url), REQUESTS))
    assert sum(row["response"] is not None for row in rows) == 6
    assert {row["error"]["code"] for row in rows if row["error"]} == {"batch_expired"}


async def list_batches(writer: NoteWriter) -> None:
    with writer.openai_errors():
        await writer.client.batches.list()


def test_faults_on_other_routes_are_ours_too(llm_server: LlmServer):
    with running() as gone:
        url = gone.url
    with pytest.raises(UnreachableError):
        asyncio.run(list_batches(NoteWriter("x", base_url=url, max_retries=0)))
    with pytest.raises(WriterError, match="No such address"):
        asyncio.run(list_batches(NoteWriter("x", base_url=f"{llm_server.url}/v2", max_retries=0)))
    with pytest.raises(KeyRefusedError):
        asyncio.run(list_batches(NoteWriter("x", base_url=llm_server.url, api_key="sk-\nx")))
