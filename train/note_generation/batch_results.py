"""The lines of a batch's results: replies into the cache, faults kept for the summary, in whatever order they come."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from dermnote.errors import PictureError
from dermnote.llm.completion import Reply, as_mapping, text_of, usage_of
from dermnote.llm.llm_errors import Usage, WriterError
from dermnote.llm.request import NoteRequest
from dermnote.llm.status_errors import one_line

from .decisions import Job
from .run_context import Means


class NotReachedError(WriterError):
    """The batch ended before the request's turn came."""

    kind: ClassVar[str] = "batch ended"


class BatchResults:
    """Takes results, and makes notes of them in the end.

    Args:
        means: What it works with.

    Attributes:
        usage: Of all results.
        left: Jobs for which another request is needed.
    """

    def __init__(self, means: Means) -> None:
        self._writer, self._decisions, self._cache = means.writer, means.decisions, means.cache
        self._recorder, self._budget = means.recorder, means.budget
        self._requests: dict[str, NoteRequest] = {}
        self._taken: set[str] = set()
        self._faults: dict[str, WriterError | PictureError] = {}
        self.usage, self.left = Usage(), 0

    def expect(self, jobs: Sequence[Job]) -> None:
        """Says what the results will be of."""
        for job in jobs:
            if request := self._decisions.decide(job).ask:
                self._requests[request.key] = request

    def take(self, line: bytes) -> bool:
        """Takes one line; the same line once more, as after a download that broke off, is passed over.

        Returns:
            False if it is no result, as where a proxy's page came instead.
        """
        if not line.strip():
            return True
        try:
            row = json.loads(line)
            key = str(row["custom_id"])
        except (ValueError, KeyError, TypeError):
            return False
        if key in self._taken:
            return True
        self._taken.add(key)
        try:
            reply = self._read(row, key)
        except WriterError as fault:
            self._faults[key] = fault
            self._count(fault.usage)
            return True
        request = self._requests.get(key)
        self._cache.add(key, reply, request.asking.strategy.name if request else "", self._writer.model)
        self._count(reply.usage)
        return True

    def fail(self, job: Job, error: PictureError) -> None:
        """Takes what could not even be sent."""
        self._faults[job.request] = error

    def _count(self, used: Usage) -> None:
        self.usage += used
        self._budget.count(used)

    def _read(self, row: Mapping[str, Any], key: str) -> Reply:
        response, request = as_mapping(row.get("response")), self._requests.get(key)
        if not response:
            why = one_line(str(as_mapping(row.get("error")).get("message") or "The batch ended early."))
            raise NotReachedError(why, "Run the same command again.", retryable=True)
        body, status = response.get("body"), response.get("status_code", 200)
        if status != 200:
            said = as_mapping(as_mapping(body).get("error")).get("message") or str(body)
            body = {"error": {"message": said, "code": status}}
        return self._writer.read_completion(body, request) if request else _unexpected(body)

    def settle(self, jobs: Sequence[Job]) -> None:
        """Writes the notes of all jobs whose replies are there."""
        for job in jobs:
            decision = self._decisions.decide(job)
            if decision.note is not None:
                self._recorder.write(job, decision.note, asked=True)
            if decision.ask is not None:
                if fault := self._faults.get(decision.ask.key):
                    self._recorder.fail(job, fault)
                else:
                    self.left += 1


def _unexpected(body: Any) -> Reply:
    """A reply nobody asks for in this run (other cases were chosen): it was paid for, so it is kept as it is."""
    body = as_mapping(body)
    usage = usage_of(body.get("usage"))
    choice = as_mapping(next(iter(body.get("choices") or ()), None))
    text = text_of(as_mapping(choice.get("message")).get("content"))
    if not text:
        raise NotReachedError("There is no answer.", "Run the same command again.", usage=usage)
    return Reply(text, usage, str(body.get("model", "")))
