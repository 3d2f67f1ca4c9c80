"""Server of a language model: address, key, and the request options that it supports."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import SplitResult, urlsplit

from dermnote.errors import ConfigError

OPENAI = "https://api.openai.com/v1"
NO_KEY = "none"  # for servers that need no key; the OpenAI client cannot omit it
FORMATS = ("json_schema", "plain_schema", "json_object", "none")  # from the most to the least demanding
LIST_LENGTHS = ("minItems", "maxItems")  # left out of a plain schema, as some servers do not support them
LIMITS = ("max_tokens", "max_completion_tokens")
# Terms by which OpenAI, vLLM and llama.cpp refer to the answer format when they reject it.
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
class Endpoint:
    """Address and key of an OpenAI-compatible server.

    Attributes:
        base_url: Address, "/v1" included.
        api_key: Key; "" if there is none. Never shown.
    """

    base_url: str
    api_key: str = field(repr=False)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.base_url)
            valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            valid = False
        if not valid:
            raise ConfigError(
                "The language model's address is not of the form http://host:port/v1.",
                "Check --base-url or OPENAI_BASE_URL.",
            )

    @classmethod
    def find(cls, base_url: str | None = None, api_key: str | None = None) -> Endpoint:
        """Return the endpoint given by the arguments, else by OPENAI_BASE_URL and OPENAI_API_KEY, else OpenAI's.

        Raises:
            ConfigError: The address is invalid.
        """
        url = (base_url or os.environ.get("OPENAI_BASE_URL", "")).strip() or OPENAI
        key = api_key if api_key is not None else os.environ.get("OPENAI_API_KEY", "")
        return cls(url.rstrip("/"), key.strip())

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.base_url)

    @property
    def host(self) -> str:
        """Host, and port where given; user name and password are left out."""
        return self._parts.netloc.rpartition("@")[2].lower()

    @property
    def is_local(self) -> bool:
        """True if the server runs on this machine (loopback only)."""
        name = self._parts.hostname or ""
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return name == "localhost"

    @property
    def is_openai(self) -> bool:
        """True if the server is OpenAI's own."""
        return self._parts.hostname == urlsplit(OPENAI).hostname

    @property
    def is_set_up(self) -> bool:
        """True if a key or another server than OpenAI's is configured; required for any request."""
        return bool(self.api_key) or not self.is_openai

    @property
    def has_valid_key(self) -> bool:
        """True if the key fits into a header: otherwise the client would fail with a message that contains it."""
        return self.api_key.isascii() and self.api_key.isprintable()


@dataclass(frozen=True)
class Dialect:
    """Options of a chat completion that a server supports: all at OpenAI, fewer elsewhere.

    Attributes:
        answer_format: Way of requesting the answer's format, one of `FORMATS`.
        temperature: Whether a temperature is sent; reasoning models reject it.
        limit: Name of the token limit, one of `LIMITS`; newer OpenAI models support only the second.
    """

    answer_format: str = FORMATS[0]
    temperature: bool = True
    limit: str = LIMITS[0]

    def options(self, schema: Mapping[str, Any], temperature: float, max_tokens: int) -> dict[str, Any]:
        """Return the options of one request."""
        options: dict[str, Any] = {self.limit: max_tokens}
        if self.temperature:
            options["temperature"] = temperature
        if self.answer_format in ("json_schema", "plain_schema"):
            sent = dict(schema) if self.answer_format == "json_schema" else _without_list_lengths(schema)
            form = {"name": "note", "strict": True, "schema": sent}
            options["response_format"] = {"type": "json_schema", "json_schema": form}
        elif self.answer_format == "json_object":
            options["response_format"] = {"type": "json_object"}
        return options

    def without(self, message: str) -> Dialect | None:
        """Return the reduced dialect for a server's error message; None if the message names no option."""
        words = message.lower()
        if self.limit == "max_tokens" and "max_tokens" in words:
            return replace(self, limit="max_completion_tokens")
        if self.temperature and "temperature" in words:
            return replace(self, temperature=False)
        if self.answer_format == "json_schema" and any(name.lower() in words for name in LIST_LENGTHS):
            return replace(self, answer_format="plain_schema")
        if self.answer_format != "none" and any(word in words for word in FORMAT_WORDS):
            return replace(self, answer_format="none" if self.answer_format == "json_object" else "json_object")
        return None

    def intersection(self, other: Dialect) -> Dialect:
        """Return the options supported by both, as concurrent requests may each have found another limitation."""
        return Dialect(
            max(self.answer_format, other.answer_format, key=FORMATS.index),
            self.temperature and other.temperature,
            max(self.limit, other.limit, key=LIMITS.index),
        )


def _without_list_lengths(schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = {
        key: {name: value for name, value in each.items() if name not in LIST_LENGTHS}
        for key, each in schema["properties"].items()
    }
    return {**schema, "properties": properties}
