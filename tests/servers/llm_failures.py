"""Failures of language model servers, by names that a test can put on a server's script."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

PAGE = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in to go on</body></html>"


@dataclass(frozen=True)
class Failure:
    """One failure.

    Attributes:
        name: Key of `FAILURES`, or an HTTP status as text.
        seconds: Wait, if any.
        text: Message, if any; "{key}" becomes the key that the client sent.
        code: Error code.
    """

    name: str
    seconds: float = 0.0
    text: str = ""
    code: str = ""

    @classmethod
    def read(cls, given: Failure | str | Mapping[str, Any] | None) -> Failure | None:
        """Return the failure of a name, a mapping of its attributes, or None for a good answer."""
        failure = cls(given) if isinstance(given, str) else cls(**given) if isinstance(given, Mapping) else given
        if failure is not None and not failure.name.isdigit() and failure.name not in FAILURES:
            raise ValueError(f"No failure '{failure.name}'; known: {', '.join(FAILURES)}, and any HTTP status.")
        return failure


@dataclass(frozen=True)
class Answer:
    """An HTTP answer and its delivery.

    Attributes:
        way: "whole"; "none" and "half" drop the connection before and amid the body; "drip" sends it in pieces.
        wait: Seconds before it is sent ("drip": seconds it takes).
    """

    status: int = 200
    body: bytes = b""
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    way: str = "whole"
    wait: float = 0.0


def as_json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """A JSON answer."""
    return Answer(status, json.dumps(value).encode(), headers=headers or {})


def error(status: int, message: str, code: str = "", param: str = "", headers: dict[str, str] | None = None) -> Answer:
    """An error in OpenAI's form."""
    body = {"message": message, "type": "error", "code": code or None, "param": param or None}
    return as_json({"error": body}, status, headers)


def _status(failure: Failure, _: dict[str, Any]) -> Answer:
    headers = {"Retry-After": f"{failure.seconds:g}"} if failure.seconds else {}
    return error(int(failure.name), failure.text or f"Scripted failure {failure.name}.", failure.code, headers=headers)


def _busy(failure: Failure, _: dict[str, Any]) -> Answer:
    return error(429, "Rate limit reached.", "rate_limit_exceeded", headers={"Retry-After": f"{failure.seconds:g}"})


def _busy_until(failure: Failure, _: dict[str, Any]) -> Answer:
    now = time.time()
    headers = {"Retry-After": formatdate(now + failure.seconds, usegmt=True), "Date": formatdate(now, usegmt=True)}
    return error(429, "Rate limit reached.", "rate_limit_exceeded", headers=headers)


def _busy_silent(_: Failure, __: dict[str, Any]) -> Answer:
    return error(429, "Rate limit reached.", "rate_limit_exceeded")


def _quota(_: Failure, __: dict[str, Any]) -> Answer:
    return error(429, "You exceeded your current quota, please check your plan.", "insufficient_quota")


def _page(failure: Failure, _: dict[str, Any]) -> Answer:
    return Answer(int(failure.code or 200), PAGE.encode(), "text/html")


def _redirect(failure: Failure, _: dict[str, Any]) -> Answer:
    return Answer(307, headers={"Location": failure.text})


def _no_json(_: Failure, good: dict[str, Any]) -> Answer:
    return Answer(body=json.dumps(good).encode()[:-20])


def _says(failure: Failure, good: dict[str, Any]) -> Answer:
    return as_json(_changed(good, {"content": failure.text}))


def _wrong_schema(_: Failure, good: dict[str, Any]) -> Answer:
    return as_json(_changed(good, {"content": '{"verdict": 7}'}))


def _fenced(_: Failure, good: dict[str, Any]) -> Answer:
    text = good["choices"][0]["message"]["content"]
    return as_json(_changed(good, {"content": f"Here is the description:\n```json\n{text}\n```\nAnything else?"}))


def _refusal(failure: Failure, good: dict[str, Any]) -> Answer:
    return as_json(_changed(good, {"content": None, "refusal": failure.text or "I'm sorry, I can't help with that."}))


def _cut_off(_: Failure, good: dict[str, Any]) -> Answer:
    text = good["choices"][0]["message"]["content"]
    return as_json(_changed(good, {"content": text[: len(text) // 2]}, "length"))


def _filtered(_: Failure, good: dict[str, Any]) -> Answer:
    return as_json(_changed(good, {"content": None}, "content_filter"))


def _no_choices(_: Failure, good: dict[str, Any]) -> Answer:
    return as_json({**good, "choices": []})


def _error_in_200(failure: Failure, _: dict[str, Any]) -> Answer:
    return as_json({"error": {"message": failure.text or "Provider returned error", "code": int(failure.code or 502)}})


def _changed(good: dict[str, Any], message: dict[str, Any], ended: str = "stop") -> dict[str, Any]:
    choice = good["choices"][0]
    return {**good, "choices": [{**choice, "finish_reason": ended, "message": {**choice["message"], **message}}]}


FAILURES: dict[str, Callable[[Failure, dict[str, Any]], Answer]] = {
    "busy": _busy,  # 429 with Retry-After in seconds
    "busy until": _busy_until,  # ... as a date
    "busy, no word how long": _busy_silent,
    "quota": _quota,
    "dropped": lambda _, __: Answer(way="none"),
    "torn": lambda _, good: Answer(body=json.dumps(good).encode(), way="half"),
    "slow": lambda failure, good: Answer(body=json.dumps(good).encode(), wait=failure.seconds),
    "drip": lambda failure, good: Answer(body=json.dumps(good).encode(), way="drip", wait=failure.seconds),
    "page": _page,  # HTML with 200, or with the status in `code`
    "redirect": _redirect,  # to the address in `text`
    "no json": _no_json,
    "says": _says,  # the model's answer is `text`
    "wrong schema": _wrong_schema,
    "fenced": _fenced,
    "refusal": _refusal,
    "cut off": _cut_off,
    "filtered": _filtered,
    "no choices": _no_choices,
    "error in 200": _error_in_200,
}


def answer_with(failure: Failure | None, good: dict[str, Any]) -> Answer:
    """Return the answer to a request with the good completion `good`."""
    if failure is None:
        return as_json(good)
    return _status(failure, good) if failure.name.isdigit() else FAILURES[failure.name](failure, good)


# Messages of servers about options they do not support.
REFUSED = {
    "minItems": (400, "Invalid schema for response_format 'note': In ('colours'), 'minItems' is not permitted.", ""),
    "json_schema": (400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported.", ""),
    "json_object": (422, "'response_format.type' must be 'text'", "response_format"),
    "temperature": (400, "Unsupported value: 'temperature' does not support 0.2 with this model.", "temperature"),
    "max_tokens": (400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", "max_tokens"),
    "image_url": (400, "Invalid content type. image_url is only supported by certain models.", ""),
}


def refused_option(body: dict[str, Any], refused: set[str]) -> Answer | None:
    """Return the rejection of a request that uses one of the `refused` options (see `REFUSED`)."""
    form = (body.get("response_format") or {}).get("type")
    kinds = {part["type"] for each in body["messages"] if isinstance(each["content"], list) for part in each["content"]}
    used = {*body, *kinds, form, *(name for name in ("minItems",) if name in json.dumps(body.get("response_format")))}
    for name in REFUSED:
        if name in refused and name in used:
            status, message, param = REFUSED[name]
            return error(status, message, "unsupported_parameter", param)
    return None
