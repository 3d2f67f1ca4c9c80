"""Answers of the local language model server: a valid instance of any schema, equal for equal requests."""

from __future__ import annotations

import hashlib
import json
import random
import re
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
