"""Results of batches: replies are cached, errors kept for the summary, in any order of the lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from dermnote.errors import ImageError
from dermnote.llm.llm_errors import Usage, WriterError
from dermnote.llm.responses import Reply, as_mapping, message_text, one_line, read_usage
from dermnote.notes.note_request import NoteRequest

from .note_run import Job, NoteRun


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
        except WriterError as error:
            self._errors[key] = error
            self._count(error.usage)
            return True
        self._run.cache.add(key, reply, request.builder.strategy.name if request else "", self._run.writer.model)
        self._count(reply.usage)
        return True

    def fail(self, job: Job, error: ImageError) -> None:
        """Keep the error of a request that could not be sent."""
        self._errors[job.request] = error

    def _count(self, used: Usage) -> None:
        self._run.usage += used
        self._run.budget.count(used)

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
