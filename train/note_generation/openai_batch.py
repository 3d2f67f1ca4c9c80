"""Batch API: half the price, replies within a day; requests are submitted in files, and batches are polled."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from tqdm.auto import tqdm

from dermnote.errors import ImageError, NotesError
from dermnote.llm.llm_errors import NotAnApiError, RequestRefusedError, UnknownModelError, WriterError
from dermnote.llm.responses import Reply, as_mapping, message_text, one_line, read_usage
from dermnote.notes.note_request import NoteRequest
from dermnote.storage import replacing_file

from .concurrent_requests import stopping_signals
from .note_run import Job, NoteRun, Stop

MOST_REQUESTS, MOST_BYTES = 50_000, 150_000_000  # of one file; the server accepts 200 MB
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 60.0  # between two polls
ROUTE: Literal["/v1/chat/completions"] = "/v1/chat/completions"
NAME_KEY = "dermnote"  # key of our name in a batch's metadata
REFUSED = (RequestRefusedError, UnknownModelError)
COLLECT_AGAIN = "Run the same command again: what could be read of them is kept, the rest is collected once more."
ENDED = ("completed", "failed", "expired", "cancelled")
TOO_MANY = 20  # failed polls in a row
NOT_STARTED = "No batch was started. If this server has no Batch API, leave --batch out; else run the command again."
NOT_FOUND = "Use the key that the batches were sent with, or remove {path} to give them up."


@dataclass
class Batch:
    """A submitted batch.

    Attributes:
        name: Our name in its metadata, by which it is found if the run was killed before its id was saved.
        file_id: Id of its file of requests.
        requests: Number of requests.
        batch_id: Id at the server; "" until known.
    """

    name: str
    file_id: str
    requests: int
    batch_id: str = ""


class BatchState:
    """Submitted batches of one notes file, saved so that a restart collects them instead of paying again.

    Args:
        path: File of the state, which exists only while there are batches.
        host: Host of the server.

    Raises:
        NotesError: The file is damaged, or its batches are at another host.
    """

    def __init__(self, path: Path, host: str) -> None:
        self.path, self._host = path, host
        self.batches: list[Batch] = []
        if path.exists():
            self._read()

    def save(self) -> None:
        """Update the file."""
        if not self.batches:
            self.path.unlink(missing_ok=True)
            return
        with replacing_file(self.path) as temporary:
            state = {"host": self._host, "parts": [asdict(batch) for batch in self.batches]}
            temporary.write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")

    def _read(self) -> None:
        try:
            state = json.loads(self.path.read_text(encoding="utf-8"))
            host, self.batches = str(state["host"]), [Batch(**part) for part in state["parts"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            hint = "It tells which batches are under way: restore it, or remove it to give them up."
            raise NotesError(f"{self.path} is damaged.", hint) from error
        if host != self._host:
            raise NotesError(f"{self.path} tells of batches at {host}, not {self._host}.", "Give that --base-url.")


class BatchClient:
    """Submission, polling and collection of a run's batches."""

    def __init__(self, run: NoteRun, results: BatchResults, state: BatchState) -> None:
        self._run, self._writer, self._results, self._state = run, run.writer, results, state

    async def process(self, jobs: Sequence[Job]) -> None:
        """Submit the jobs unless batches are under way, and wait for the results."""
        self._stopped = asyncio.Event()
        with stopping_signals(self._end, self._stopped.set):
            try:
                if self._state.batches:
                    await self._recover()
                else:
                    async for content, count in self._files(jobs):
                        await self._submit(content, count)
                await self._wait()
            except WriterError as error:
                self._end(Stop(str(error), error=error))

    def _end(self, stop: Stop) -> None:
        self._run.stop = self._run.stop or stop
        self._stopped.set()

    async def _files(self, jobs: Sequence[Job]) -> AsyncIterator[tuple[bytes, int]]:
        """Yield files of requests as they are needed, with the number of requests in each."""
        content, count = bytearray(), 0
        for job in tqdm(jobs, desc="packing requests", unit="request", leave=False):
            if self._run.stop:
                break
            line = await self._line(job)
            if count == MOST_REQUESTS or (count and len(content) + len(line) > MOST_BYTES):
                yield bytes(content), count
                content, count = bytearray(), 0
            content += line
            count += bool(line)
        if count and not self._stopped.is_set():
            yield bytes(content), count

    async def _line(self, job: Job) -> bytes:
        """Return a job's request; b"" if its image is damaged or the limit is reached."""
        request, budget = self._run.decide(job).request, self._run.budget
        if request is None:
            return b""
        try:
            worst = self._run.estimate(job, request).worst
            jpeg = await asyncio.to_thread(self._run.payload, job)
        except ImageError as error:
            self._results.fail(job, error)
            return b""
        if not budget.admit(worst):
            self._run.stop = Stop(f"the limit of ${budget.limit:g} is reached")
            return b""
        line = {"custom_id": request.key, "method": "POST", "url": ROUTE, "body": self._writer.body(request, jpeg)}
        return json.dumps(line).encode() + b"\n"

    async def _submit(self, content: bytes, count: int) -> None:
        with self._errors(NOT_STARTED):
            file = await self._writer.client.files.create(file=("requests.jsonl", content), purpose="batch")
        batch = Batch(f"{NAME_KEY}-{uuid.uuid4().hex}", file.id, count)
        self._state.batches.append(batch)
        self._state.save()  # before the batch is started
        await self._start(batch)

    async def _start(self, batch: Batch) -> None:
        # not retried: a repetition after a lost answer would start, and bill, the batch twice
        try:
            with self._errors(NOT_STARTED):
                started = await self._writer.client.with_options(max_retries=0).batches.create(
                    input_file_id=batch.file_id,
                    endpoint=ROUTE,
                    completion_window="24h",
                    metadata={NAME_KEY: batch.name},
                )
        except REFUSED:
            await self._forget(batch)
            raise
        batch.batch_id = started.id
        self._state.save()

    async def _recover(self) -> None:
        """Find batches whose ids a killed run could not save, and start those that were not started."""
        lost = {batch.name: batch for batch in self._state.batches if not batch.batch_id}
        if lost:
            with self._writer.openai_errors():
                async for each in self._writer.client.batches.list(limit=100):
                    if batch := lost.pop((each.metadata or {}).get(NAME_KEY, ""), None):
                        batch.batch_id = each.id
                    if not lost:
                        break
            self._state.save()
        for batch in lost.values():
            await self._start(batch)

    async def _wait(self) -> None:
        """Poll the batches at growing intervals until all have ended."""
        pause, failed = FIRST_PAUSE_S, 0
        total = sum(batch.requests for batch in self._state.batches)
        with tqdm(total=total, desc="waiting for batches", unit="note") as bar:
            while self._state.batches and not self._stopped.is_set():
                try:
                    answered, failed = await self._poll(), 0
                    bar.n = total - sum(batch.requests for batch in self._state.batches) + answered
                    bar.refresh()
                except WriterError as error:
                    failed += 1
                    if not error.retryable or failed == TOO_MANY:
                        raise
                if self._state.batches:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._stopped.wait(), pause)
                pause = min(pause * 1.5, LONGEST_PAUSE_S)

    async def _poll(self) -> int:
        """Collect the batches that have ended; returns the number of requests that the others have processed."""
        processed, client = 0, self._writer.client
        with self._errors(NOT_FOUND.format(path=self._state.path)):
            polled = [(batch, await client.batches.retrieve(batch.batch_id)) for batch in self._state.batches]
        for batch, status in polled:
            if status.status in ENDED:
                await self._collect(batch, status)
            elif status.request_counts:
                processed += status.request_counts.completed + status.request_counts.failed
        return processed

    async def _collect(self, batch: Batch, ended: Any) -> None:
        """Cache the replies of an ended batch (`openai.types.Batch`), and delete its files at the server."""
        files = [each for each in (ended.output_file_id, ended.error_file_id) if each]
        for file_id in files:
            with self._writer.openai_errors():
                content = (await self._writer.client.files.content(file_id)).content
            # not splitlines(): an answer may contain other line separators
            if sum(not self._results.add(line) for line in content.split(b"\n")):
                raise NotAnApiError(f"The results of batch {ended.id} are broken.", COLLECT_AGAIN)
        if ended.status != "completed":
            reason = ended.errors.data[0].message if ended.errors and ended.errors.data else "it took too long"
            self._run.stop = self._run.stop or Stop(f"batch {ended.id} has {ended.status}: {reason}")
        await self._forget(batch, *files)

    async def _forget(self, batch: Batch, *results: str) -> None:
        """Remove a batch from the state, and its files, which contain images, from the server."""
        self._state.batches.remove(batch)
        self._state.save()
        for file_id in (batch.file_id, *results):
            with suppress(WriterError), self._writer.openai_errors():
                await self._writer.client.files.delete(file_id)

    @contextmanager
    def _errors(self, hint: str) -> Iterator[None]:
        """Convert errors; the hint replaces that of a rejected request, which is about models and images."""
        try:
            with self._writer.openai_errors():
                yield
        except REFUSED as error:
            error.hint = hint
            raise


class BatchEndedError(WriterError):
    """The batch ended before the request was processed."""

    kind: ClassVar[str] = "batch ended"


class BatchResults:
    """Results of the requests of a run.

    Args:
        run: The run.
        jobs: Jobs whose requests were sent, or are about to be.
    """

    def __init__(self, run: NoteRun, jobs: Sequence[Job]) -> None:
        self._run = run
        requests = (run.decide(job).request for job in jobs)
        self._requests = {request.key: request for request in requests if request}
        self._read: set[str] = set()
        self._errors: dict[str, WriterError | ImageError] = {}

    def add(self, line: bytes) -> bool:
        """Read one line; a line that was read before, as after an interrupted download, is ignored.

        Returns:
            False if the line is not a result, such as a proxy's web page.
        """
        if not line.strip():
            return True
        try:
            row = json.loads(line)
            key = str(row["custom_id"])
        except (ValueError, KeyError, TypeError):
            return False
        if key in self._read:
            return True
        self._read.add(key)
        request = self._requests.get(key)
        try:
            reply = self._reply(row, request)
            self._run.cache.add(key, reply, request.builder.strategy.name if request else "", self._run.writer.model)
            used = reply.usage
        except WriterError as error:
            self._errors[key], used = error, error.usage
        self._run.usage += used
        self._run.budget.count(used)
        return True

    def fail(self, job: Job, error: ImageError) -> None:
        """Keep the error of a request that could not be sent."""
        self._errors[job.request] = error

    def _reply(self, row: Mapping[str, Any], request: NoteRequest | None) -> Reply:
        response = as_mapping(row.get("response"))
        if not response:
            reason = one_line(str(as_mapping(row.get("error")).get("message") or "The batch ended early."))
            raise BatchEndedError(reason, "Run the same command again.", retryable=True)
        body, status = response.get("body"), response.get("status_code", 200)
        if status != 200:
            message = as_mapping(as_mapping(body).get("error")).get("message") or str(body)
            body = {"error": {"message": message, "code": status}}
        return self._run.writer.read_completion(body, request) if request else _unchecked_reply(body)

    def settle(self, jobs: Sequence[Job]) -> None:
        """Write the notes and failures of all jobs whose results have arrived."""
        for job in jobs:
            decision = self._run.decide(job)
            if decision.note is not None:
                self._run.record(job, decision.note, new=True)
            if decision.request is not None:
                if error := self._errors.get(decision.request.key):
                    self._run.fail(job, error)
                else:
                    self._run.unsent += 1


def _unchecked_reply(body: Any) -> Reply:
    """Return the reply to a request that is not part of this run (of other cases), which is cached as it was paid."""
    body = as_mapping(body)
    usage = read_usage(body.get("usage"))
    choice = as_mapping(next(iter(body.get("choices") or ()), None))
    text = message_text(as_mapping(choice.get("message")).get("content"))
    if not text:
        raise BatchEndedError("There is no answer.", "Run the same command again.", usage=usage)
    return Reply(text, usage, str(body.get("model", "")))
