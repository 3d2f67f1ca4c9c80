"""OpenAI's files and batches in memory; results come later and in any order."""

from __future__ import annotations

import email
import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.servers.llm_answers import Answer, Failure, answer_with, as_json, error

ENDED = ("completed", "failed", "expired", "cancelled")


class Batches:
    """State of files and batches; a test may change the public attributes.

    Attributes:
        polls: Number of polls before a batch ends.
        fate: Final status: "completed", "failed" (nothing is processed), or "expired" (the first half is processed).
        line_failure: Failure of a line, by its custom_id; None is a good answer.
    """

    def __init__(self, complete: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self.polls = 2
        self.fate = "completed"
        self.line_failure: Callable[[str], Failure | str | None] = lambda custom_id: None
        self.files: dict[str, dict[str, Any]] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self._kept = 0
        self._contents: dict[str, bytes] = {}
        self._asked: dict[str, int] = {}
        self._complete = complete
        self._lock = threading.Lock()

    def answer(self, method: str, parts: list[str], query: dict[str, str], kind: str, body: bytes) -> Answer:
        """Answer /v1/files... and /v1/batches...; `parts` is the path after /v1."""
        with self._lock:
            match [method, *parts]:
                case ["POST", "files"]:
                    return as_json(self._upload(kind, body))
                case ["GET", "files", name] if name in self.files:
                    return as_json(self.files[name])
                case ["DELETE", "files", name] if name in self.files:
                    del self.files[name], self._contents[name]
                    return as_json({"id": name, "object": "file", "deleted": True})
                case ["GET", "files", name, "content"] if name in self.files:
                    return Answer(body=self._contents[name], kind="application/octet-stream")
                case ["POST", "batches"]:
                    return self._submit(json.loads(body))
                case ["GET", "batches"]:
                    return as_json(self._list(query))
                case ["GET", "batches", name] if name in self.batches:
                    return as_json(self._poll(self.batches[name]))
        return error(404, f"No such object: {'/'.join(parts)}", "not_found")

    def _upload(self, kind: str, body: bytes) -> dict[str, Any]:
        form = email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
        fields = {part.get_param("name", header="content-disposition"): part for part in form.get_payload()}
        upload = fields["file"]
        return self._keep(upload.get_payload(decode=True), upload.get_filename() or "", fields["purpose"].get_payload())

    def _keep(self, content: bytes, filename: str, purpose: str) -> dict[str, Any]:
        self._kept += 1  # a number is not given again when a file is deleted
        name = f"file-{self._kept}"
        self._contents[name] = content
        self.files[name] = {
            **{"id": name, "object": "file", "filename": filename, "purpose": purpose.strip(), "status": "processed"},
            **{"bytes": len(content), "created_at": int(time.time())},
        }
        return self.files[name]

    def _submit(self, order: dict[str, Any]) -> Answer:
        if order["input_file_id"] not in self.files:
            return error(400, f"No such file: {order['input_file_id']}", "invalid_request")
        name = f"batch_{len(self.batches) + 1}"
        self.batches[name] = {
            **{"id": name, "object": "batch", "status": "validating", "created_at": int(time.time())},
            **{key: order.get(key) for key in ("input_file_id", "endpoint", "completion_window", "metadata")},
            **{"output_file_id": None, "error_file_id": None, "errors": None, "request_counts": _counts(0, 0, 0)},
        }
        self._asked[name] = 0
        return as_json(self.batches[name])

    def _list(self, query: dict[str, str]) -> dict[str, Any]:
        newest = list(self.batches.values())[::-1]
        start = next((i + 1 for i, each in enumerate(newest) if each["id"] == query.get("after")), 0)
        page = newest[start : start + int(query.get("limit", 20))]
        return {
            **{"object": "list", "data": page, "has_more": start + len(page) < len(newest)},
            **{"first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None},
        }

    def _poll(self, batch: dict[str, Any]) -> dict[str, Any]:
        self._asked[batch["id"]] += 1
        if batch["status"] not in ENDED:
            if self._asked[batch["id"]] > self.polls:
                self._end(batch, self.fate)
            elif self._asked[batch["id"]] > 1:
                batch["status"] = "in_progress"
        return batch

    def _end(self, batch: dict[str, Any], fate: str) -> None:
        batch["status"] = fate
        batch[f"{fate}_at"] = int(time.time())
        lines = [json.loads(line) for line in self._contents[batch["input_file_id"]].splitlines() if line.strip()]
        if fate == "failed":
            batch["errors"] = {"object": "list", "data": [{"code": "invalid_json_line", "message": "Line 1 is bad."}]}
            return
        done = len(lines) if fate == "completed" else len(lines) // 2
        results = [self._result(line) for line in lines[:done]]
        good = [each for each in results if each["response"]["status_code"] == 200]
        bad = [each for each in results if each["response"]["status_code"] != 200]
        bad += [_not_done(line["custom_id"], fate) for line in lines[done:]]
        for key, rows in (("output_file_id", good), ("error_file_id", bad)):
            random.Random(len(lines)).shuffle(rows)  # results come in any order
            if rows:
                content = "".join(json.dumps(row) + "\n" for row in rows).encode()
                batch[key] = self._keep(content, f"{batch['id']}.jsonl", "batch_output")["id"]
        batch["request_counts"] = _counts(len(lines), len(good), len(bad))

    def _result(self, line: dict[str, Any]) -> dict[str, Any]:
        failure = Failure.read(self.line_failure(line["custom_id"]))
        answer = answer_with(failure, self._complete(line["body"]))
        body = {"status_code": answer.status, "request_id": "req_1", "body": json.loads(answer.body)}
        return {"id": f"batch_req_{line['custom_id']}", "custom_id": line["custom_id"], "response": body, "error": None}


def _not_done(custom_id: str, fate: str) -> dict[str, Any]:
    why = {"code": f"batch_{fate}", "message": "This request was not executed before the batch ended."}
    return {"id": f"batch_req_{custom_id}", "custom_id": custom_id, "response": None, "error": why}


def _counts(total: int, completed: int, failed: int) -> dict[str, int]:
    return {"total": total, "completed": completed, "failed": failed}
