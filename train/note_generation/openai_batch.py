"""The Batch API: half the price, replies within a day; submitted in files, polled, and joined by the request's key."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Literal

from tqdm.auto import tqdm

from dermnote.errors import PictureError
from dermnote.llm.llm_errors import NotAnApiError, RequestRefusedError, UnknownModelError, WriterError
from dermnote.llm.prices import FREE
from dermnote.llm.token_estimate import estimate

from .batch_results import BatchResults
from .batch_state import BatchState, Part
from .decisions import Job
from .image_payloads import sent_picture
from .run_context import Means
from .stop_signal import Stop, stopping_signals

if TYPE_CHECKING:
    from openai.types import Batch

MOST_REQUESTS, MOST_BYTES = 50_000, 150_000_000  # of one file; the server takes 200 MB
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 60.0  # between two looks
ROUTE: Literal["/v1/chat/completions"] = "/v1/chat/completions"
MARK = "dermnote"  # key of our name in a batch's metadata
REFUSED = (RequestRefusedError, UnknownModelError)
COLLECT_AGAIN = "Run the same command again: what could be read of them is kept, the rest is collected once more."
ENDED = ("completed", "failed", "expired", "cancelled")
TOO_MANY = 20  # looks in a row that failed
NOT_STARTED = "No batch was started. If this server has no Batch API, leave --batch out; else run the command again."
NOT_FOUND = "Use the key that the batches were sent with, or remove {path} to give them up."


class BatchRun:
    """Batches from their submission to their replies.

    Args:
        means: What it works with.
        results: Takes the replies.
        state: Which batches are under way.
    """

    def __init__(self, means: Means, results: BatchResults, state: BatchState) -> None:
        self._writer, self._cases, self._decisions = means.writer, means.cases, means.decisions
        self._budget, self._results, self._state = means.budget, results, state
        self.stop: Stop | None = None

    async def run(self, jobs: Sequence[Job]) -> None:
        """Submits the jobs unless batches are under way already, and waits for the replies."""
        self._stopped = asyncio.Event()
        with stopping_signals(self._end, self._stopped.set):
            try:
                if self._state.parts:
                    await self._adopt()
                else:
                    async for content, count in self._files(jobs):
                        await self._submit(content, count)
                await self._wait()
            except WriterError as error:
                self._end(Stop(str(error), error=error))

    def _end(self, stop: Stop) -> None:
        self.stop = self.stop or stop
        self._stopped.set()

    async def _files(self, jobs: Sequence[Job]) -> AsyncIterator[tuple[bytes, int]]:
        """Files of requests, one after the other as they are read, and the number of requests in each."""
        content, count = bytearray(), 0
        for job in tqdm(jobs, desc="packing requests", unit="request", leave=False):
            if self.stop:
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
        """A job's request; nothing if its picture cannot be read or the money is used up."""
        request, stored = self._decisions.decide(job).ask, self._cases.images[job.row]
        if request is None:
            return b""
        try:
            worst = estimate(request, stored, (self._budget.price or FREE).picture, repairs=False).worst
            jpeg = await asyncio.to_thread(sent_picture, job, self._cases)
        except PictureError as error:
            self._results.fail(job, error)
            return b""
        if not self._budget.admit(worst):
            self.stop = Stop(f"the limit of ${self._budget.limit:g} is reached")
            return b""
        line = {"custom_id": request.key, "method": "POST", "url": ROUTE, "body": self._writer.body(request, jpeg)}
        return json.dumps(line).encode() + b"\n"

    async def _submit(self, content: bytes, count: int) -> None:
        with self._faults(NOT_STARTED):
            file = await self._writer.client.files.create(file=("requests.jsonl", content), purpose="batch")
        part = Part(f"{MARK}-{uuid.uuid4().hex}", file.id, count)
        self._state.add(part)
        await self._start(part)

    async def _start(self, part: Part) -> None:
        # Sent once: a second try after a lost answer would start, and bill, the batch twice
        try:
            with self._faults(NOT_STARTED):
                batch = await self._writer.client.with_options(max_retries=0).batches.create(
                    input_file_id=part.file_id, endpoint=ROUTE, completion_window="24h", metadata={MARK: part.name}
                )
        except REFUSED:
            self._state.drop(part)
            await self._delete(part.file_id)
            raise
        part.batch_id = batch.id
        self._state.save()

    async def _adopt(self) -> None:
        """Finds batches that were started by a run that died before it could note their ids, or starts them."""
        lost = {part.name: part for part in self._state.parts if not part.batch_id}
        if lost:
            with self._writer.faults():
                async for batch in self._writer.client.batches.list(limit=100):
                    if part := lost.pop((batch.metadata or {}).get(MARK, ""), None):
                        part.batch_id = batch.id
                    if not lost:
                        break
            self._state.save()
        for part in lost.values():
            await self._start(part)

    async def _wait(self) -> None:
        """Looks at the batches, less and less often, until all have ended."""
        pause, failed = FIRST_PAUSE_S, 0
        total = sum(part.requests for part in self._state.parts)
        with tqdm(total=total, desc="waiting for batches", unit="note") as bar:
            while self._state.parts and not self._stopped.is_set():
                try:
                    answered, failed = await self._look(), 0
                    bar.n = total - sum(part.requests for part in self._state.parts) + answered
                    bar.refresh()
                except WriterError as error:
                    failed += 1
                    if not error.retryable or failed == TOO_MANY:
                        raise
                if self._state.parts:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._stopped.wait(), pause)
                pause = min(pause * 1.5, LONGEST_PAUSE_S)

    async def _look(self) -> int:
        """Looks at each batch once and collects those that have ended; how many requests the others have answered."""
        answered, client = 0, self._writer.client
        with self._faults(NOT_FOUND.format(path=self._state.path)):
            batches = [(part, await client.batches.retrieve(part.batch_id)) for part in self._state.parts]
        for part, batch in batches:
            if batch.status in ENDED:
                await self._collect(part, batch)
            elif batch.request_counts:
                answered += batch.request_counts.completed + batch.request_counts.failed
        return answered

    async def _collect(self, part: Part, batch: Batch) -> None:
        """Has the replies of a batch put into the cache; then it is forgotten, here and at the server."""
        files = [each for each in (batch.output_file_id, batch.error_file_id) if each]
        for file_id in files:
            with self._writer.faults():
                content = (await self._writer.client.files.content(file_id)).content
            # an answer may hold other line ends
            if sum(not self._results.take(line) for line in content.split(b"\n")):
                raise NotAnApiError(f"The results of batch {batch.id} are broken.", COLLECT_AGAIN)
        if batch.status != "completed":
            why = batch.errors.data[0].message if batch.errors and batch.errors.data else "it took too long"
            self.stop = self.stop or Stop(f"batch {batch.id} has {batch.status}: {why}")
        self._state.drop(part)
        await self._delete(part.file_id, *files)

    async def _delete(self, *file_ids: str) -> None:
        """Pictures need not lie at the server any longer."""
        for file_id in file_ids:
            with suppress(WriterError), self._writer.faults():
                await self._writer.client.files.delete(file_id)

    @contextmanager
    def _faults(self, hint: str) -> Iterator[None]:
        """The writer's faults; where an order is refused, its hint is no word on models or pictures but this one."""
        try:
            with self._writer.faults():
                yield
        except REFUSED as error:
            error.hint = hint
            raise
