"""Answers of the local language model server: valid instances of any schema, and failures by name."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

SENTENCES = (
    "A small round macule.",
    "Shades of brown, evenly spread.",
    "The edge is well defined over most of its course.",
    "Outline and colour mirror each other across both axes.",
    "Fine lines run towards the edge.",
)


def completion(body: dict[str, Any]) -> dict[str, Any]:
    """Return a chat completion for a request's body, with usage."""
    digest = hashlib.sha256(json.dumps(body["messages"], sort_keys=True).encode()).hexdigest()
    text = json.dumps(instance(asked_schema(body), random.Random(digest)))
    return {
        "id": f"chatcmpl-{digest[:12]}",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": f"{body['model']}-2026-01-01",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": usage(body, text),
    }


def usage(body: dict[str, Any], text: str) -> dict[str, int]:
    """Return made-up but reproducible token counts."""
    pictures = sum(part["type"] == "image_url" for part in user_parts(body))
    prompt = len(prompt_text(body)) // 4 + 85 * pictures
    answer = len(text) // 4 + 1
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}


def user_parts(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parts of all messages that consist of parts."""
    return [part for message in body["messages"] if isinstance(message["content"], list) for part in message["content"]]


def prompt_text(body: dict[str, Any]) -> str:
    """Return the text of all messages."""
    plain = [message["content"] for message in body["messages"] if isinstance(message["content"], str)]
    return "\n".join([*plain, *(part["text"] for part in user_parts(body) if part["type"] == "text")])


def asked_schema(body: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a request, or the one described in its text."""
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        return form["json_schema"]["schema"]
    keys = re.findall(r'^- "([^"]+)": (.+)$', prompt_text(body), re.MULTILINE)
    return {"type": "object", "properties": {name: _from_words(words) for name, words in keys}}


def _from_words(words: str) -> dict[str, Any]:
    found = re.search(r"one of: (.+?)(?: \(|$)", words)
    if found is None:
        return {"type": "string"}
    choice = {"type": "string", "enum": found[1].split(", ")}
    if not words.startswith("a list"):
        return choice
    fewest = re.search(r"at least (\d+)", words)
    return {
        "type": "array",
        "items": choice,
        "minItems": int(fewest[1]) if fewest else 0,
        "maxItems": len(choice["enum"]),
    }


def instance(schema: dict[str, Any], chance: random.Random) -> Any:
    """Return a valid instance of a strict schema; a list has at least one member."""
    if "enum" in schema:
        return chance.choice(schema["enum"])
    if schema["type"] == "object":
        return {name: instance(part, chance) for name, part in schema["properties"].items()}
    if schema["type"] == "array":
        choices = schema["items"].get("enum")
        if choices is None:
            return [instance(schema["items"], chance)]
        return chance.sample(choices, chance.randint(1, len(choices)))
    plain = {"string": chance.choice(SENTENCES), "boolean": chance.random() < 0.5, "null": None}
    return plain.get(schema["type"], chance.randint(0, 9))


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


def _too_many(code: str = "rate_limit_exceeded", **headers: str) -> Answer:
    return error(
        429, "Rate limit reached.", code, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def _delivered(good: dict[str, Any], **delivery: Any) -> Answer:
    return Answer(body=json.dumps(good).encode(), **delivery)


def _answer(good: dict[str, Any], text: str | None, finish_reason: str = "stop", **message: str) -> Answer:
    """The completion with another text."""
    choice = good["choices"][0]
    message = {**choice["message"], "content": text, **message}
    return as_json({**good, "choices": [{**choice, "finish_reason": finish_reason, "message": message}]})


def _text(good: dict[str, Any]) -> str:
    return good["choices"][0]["message"]["content"]


REFUSAL = "I'm sorry, I can't help with that."
FAILURES: dict[str, Callable[[Failure, dict[str, Any]], Answer]] = {
    "busy": lambda failure, _: _too_many(Retry_After=f"{failure.seconds:g}"),
    "busy, no word how long": lambda _, __: _too_many(),
    "quota": lambda _, __: _too_many("insufficient_quota"),
    "dropped": lambda _, __: Answer(way="none"),
    "torn": lambda _, good: _delivered(good, way="half"),
    "slow": lambda failure, good: _delivered(good, wait=failure.seconds),
    "drip": lambda failure, good: _delivered(good, way="drip", wait=failure.seconds),
    "page": lambda failure, _: Answer(int(failure.code or 200), PAGE.encode(), "text/html"),
    "redirect": lambda failure, _: Answer(307, headers={"Location": failure.text}),
    "no json": lambda _, good: Answer(body=json.dumps(good).encode()[:-20]),
    "says": lambda failure, good: _answer(good, failure.text),
    "wrong schema": lambda _, good: _answer(good, '{"verdict": 7}'),
    "refusal": lambda failure, good: _answer(good, None, refusal=failure.text or REFUSAL),
    "cut off": lambda _, good: _answer(good, _text(good)[: len(_text(good)) // 2], "length"),
    "filtered": lambda _, good: _answer(good, None, "content_filter"),
    "no choices": lambda _, good: as_json({**good, "choices": []}),
    "error in 200": lambda failure, _: as_json(
        {"error": {"message": failure.text or "Provider returned error", "code": int(failure.code or 502)}}
    ),
}


def answer_with(failure: Failure | None, good: dict[str, Any]) -> Answer:
    """Return the answer to a request with the good completion `good`."""
    if failure is None:
        return as_json(good)
    if failure.name.isdigit():
        headers = {"Retry-After": f"{failure.seconds:g}"} if failure.seconds else {}
        message = failure.text or f"Scripted failure {failure.name}."
        return error(int(failure.name), message, failure.code, headers=headers)
    return FAILURES[failure.name](failure, good)


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
