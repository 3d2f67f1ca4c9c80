"""What a server understands of a chat completion's options: OpenAI's all, others less."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

FORMATS = ("json_schema", "plain_schema", "json_object", "none")  # each asks less of the server than the one before
LIST_LENGTHS = ("minItems", "maxItems")  # what a plain schema lacks: some servers know no such limits
LIMITS = ("max_tokens", "max_completion_tokens")
# How servers name the answer's format when they cannot serve it: OpenAI, vLLM, llama.cpp.
FORMAT_WORDS = (
    "response_format",
    "json_schema",
    "json_object",
    "json schema",
    "grammar",
    "guided",
    "structured output",
)


@dataclass(frozen=True)
class Dialect:
    """The options that are sent.

    Attributes:
        answer_format: How the form of the answer is asked for (one of `FORMATS`).
        temperature: Whether a temperature is sent; reasoning models refuse it.
        limit: Name of the token limit; newer models know only the second of `LIMITS`.
    """

    answer_format: str = FORMATS[0]
    temperature: bool = True
    limit: str = LIMITS[0]

    def options(self, schema: Mapping[str, Any], temperature: float, max_tokens: int) -> dict[str, Any]:
        """The options of one request."""
        chosen: dict[str, Any] = {self.limit: max_tokens}
        if self.temperature:
            chosen["temperature"] = temperature
        if self.answer_format in ("json_schema", "plain_schema"):
            sent = dict(schema) if self.answer_format == "json_schema" else _without_lengths(schema)
            form = {"name": "note", "strict": True, "schema": sent}
            chosen["response_format"] = {"type": "json_schema", "json_schema": form}
        elif self.answer_format == "json_object":
            chosen["response_format"] = {"type": "json_object"}
        return chosen

    def without(self, said: str) -> Dialect | None:
        """The plainer dialect for a server that refused this one with these words; None if they name no option."""
        words = said.lower()
        if self.limit == "max_tokens" and "max_tokens" in words:
            return replace(self, limit="max_completion_tokens")
        if self.temperature and "temperature" in words:
            return replace(self, temperature=False)
        if self.answer_format == "json_schema" and any(name.lower() in words for name in LIST_LENGTHS):
            return replace(self, answer_format="plain_schema")
        if self.answer_format != "none" and any(word in words for word in FORMAT_WORDS):
            return replace(self, answer_format="none" if self.answer_format == "json_object" else "json_object")
        return None

    def plainest(self, other: Dialect) -> Dialect:
        """What both understand: two requests at once may each have learnt something else of the server."""
        return Dialect(
            max(self.answer_format, other.answer_format, key=FORMATS.index),
            self.temperature and other.temperature,
            max(self.limit, other.limit, key=LIMITS.index),
        )


def _without_lengths(schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = {
        key: {name: value for name, value in each.items() if name not in LIST_LENGTHS}
        for key, each in schema["properties"].items()
    }
    return {**schema, "properties": properties}
