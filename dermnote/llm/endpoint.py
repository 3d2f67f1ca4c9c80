"""Which language model server is spoken to, and with which key."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from dermnote.errors import ConfigError

OPENAI = "https://api.openai.com/v1"
NO_KEY = "none"  # sent to servers that ask for no key; the client cannot send none at all


@dataclass(frozen=True)
class Endpoint:
    """Where an OpenAI-compatible server listens.

    Attributes:
        base_url: Its address, "/v1" included.
        api_key: The key; "" if none is known. Never shown.
    """

    base_url: str
    api_key: str = field(repr=False)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.base_url)
            fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            fits = False
        if not fits:
            raise ConfigError(
                "The language model's address is not of the form http://host:port/v1.",
                "Check --base-url or OPENAI_BASE_URL.",
            )

    @classmethod
    def find(cls, base_url: str | None = None, api_key: str | None = None) -> Endpoint:
        """Takes what is given, else OPENAI_BASE_URL and OPENAI_API_KEY, else OpenAI without a key.

        Raises:
            ConfigError: The address is none.
        """
        url = (base_url or os.environ.get("OPENAI_BASE_URL", "")).strip() or OPENAI
        key = api_key if api_key is not None else os.environ.get("OPENAI_API_KEY", "")
        return cls(url.rstrip("/"), key.strip())

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.base_url)

    @property
    def host(self) -> str:
        """Host, and port where one is given; without a user name or password that stands in the address."""
        return self._parts.netloc.rpartition("@")[2].lower()

    @property
    def is_local(self) -> bool:
        """Whether what is sent stays on this machine."""
        name = self._parts.hostname or ""
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return name == "localhost"

    @property
    def is_openai(self) -> bool:
        """Whether this is OpenAI's own server."""
        return self._parts.hostname == urlsplit(OPENAI).hostname

    @property
    def is_set_up(self) -> bool:
        """Whether somebody chose a server or gave a key: without either, nothing can be asked."""
        return bool(self.api_key) or not self.is_openai

    @property
    def key_fits_a_header(self) -> bool:
        """Whether the key can be sent at all: a line end or an accent in it makes a client fail, and show it."""
        return self.api_key.isascii() and self.api_key.isprintable()
