"""Password protection: the accounts, and the middleware that closes what Gradio's own login leaves open."""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
from collections.abc import MutableMapping
from hmac import compare_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse

from dermnote.errors import ConfigError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

AUTH, AUTH_FILE = "DERMNOTE_AUTH", "DERMNOTE_AUTH_FILE"
FORM = "It is written name:password."
SHORTEST = 8  # characters of a password
PENALTY = 0.5  # seconds that a wrong password takes, one after another
# Routes of the login page, and those that Gradio requests from itself at start.
OPEN = {"/", "/login", "/login/", "/theme.css", "/gradio_api/theme.css", "/favicon.ico", "/manifest.json"}
OPEN |= {"/robots.txt", "/gradio_api/startup-events"}
OPEN_FOLDERS = ("/assets/", "/static/", "/svelte/", "/pwa_icon")
CLOSED = {"detail": "Log in first."}


class Accounts:
    """Names and their passwords, compared in constant time and never printed."""

    def __init__(self, passwords: dict[str, str]) -> None:
        self._passwords = {name.encode(): password.encode() for name, password in passwords.items()}
        self._one_at_a_time = asyncio.Lock()

    async def admit(self, name: str, password: str) -> bool:
        """Return whether they belong together; wrong guesses are answered one after another, `PENALTY` apart."""
        right = False
        for known, secret in self._passwords.items():  # all of them: stopping early would reveal which name exists
            right |= compare_digest(known, name.encode()) & compare_digest(secret, password.encode())
        if not right:
            async with self._one_at_a_time:
                await asyncio.sleep(PENALTY)
        return right

    async def name_in(self, header: str) -> str | None:
        """Return the name in an `Authorization: Basic` header whose password is right."""
        kind, _, encoded = header.partition(" ")
        try:
            name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return name if kind.lower() == "basic" and await self.admit(name, password) else None


def read_accounts(environment: MutableMapping[str, str]) -> Accounts | None:
    """Read DERMNOTE_AUTH (one name:password) or DERMNOTE_AUTH_FILE (one a line); None where neither is set.

    DERMNOTE_AUTH is removed from the environment, so that child processes and crash reports do not have it.

    Raises:
        ConfigError: A value cannot be used; the message names the line, never its content.
    """
    single, file = environment.pop(AUTH, ""), environment.get(AUTH_FILE, "")
    if single and file:
        raise ConfigError(f"{AUTH} and {AUTH_FILE} are both set.", "Set one of them.")
    if not (single or file):
        return None
    lines = _lines(file) if file else [single]
    return Accounts(dict(_account(line, f"{AUTH_FILE}, line {i}" if file else AUTH) for i, line in enumerate(lines, 1)))


def _lines(file: str) -> list[str]:
    hint = "It holds one name:password a line."
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{AUTH_FILE} names a file that cannot be read.", hint) from error
    if not lines:
        raise ConfigError(f"{AUTH_FILE} names an empty file.", hint)
    return lines


def _account(line: str, where: str) -> tuple[str, str]:
    name, _, password = line.partition(":")
    if not name.strip() or name != name.strip():
        raise ConfigError(f"{where} holds no name.", FORM)
    if len(password) < SHORTEST:
        raise ConfigError(f"{where} holds no password of at least {SHORTEST} characters.", FORM)
    return name, password


class Gate:
    """ASGI middleware: requires a login on the page or an `Authorization: Basic` header for all but `OPEN`."""

    def __init__(self, app: ASGIApp, accounts: Accounts) -> None:
        self.app, self.accounts = app, accounts
        self._tokens: dict[str, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on requests that are open or logged in; answer the rest with 401."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            known, is_open = await self._known(scope), scope["path"] in OPEN or scope["path"].startswith(OPEN_FOLDERS)
            answer = self.app if known or is_open else JSONResponse(CLOSED, 401)
            await answer(known or scope, receive, send)

    async def _known(self, scope: Scope) -> Scope | None:
        """Return the request with the cookie of Gradio's login; None if the sender is not logged in."""
        headers, app = Headers(scope=scope), scope["app"]
        cookies = cookie_parser(headers.get("cookie", ""))
        if any(cookies.get(name) in app.tokens for name in cookie_names(app)):
            return scope
        if "authorization" in headers and (name := await self.accounts.name_in(headers["authorization"])):
            if self._tokens.get(name) not in app.tokens:  # the first time, or after a logout
                self._tokens[name] = issue_token(app, name)
            others = [each for each in scope["headers"] if each[0] != b"cookie"]
            cookie = f"{cookie_names(app)[1]}={self._tokens[name]}"
            return {**scope, "headers": [*others, (b"cookie", cookie.encode())]}
        return None


def cookie_names(app: Any) -> tuple[str, str]:
    """Return the names of the cookies of Gradio's login: with TLS, and without."""
    return f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}"


def issue_token(app: Any, name: str) -> str:
    """Return a new token of Gradio's login."""
    token = secrets.token_urlsafe(32)
    app.tokens[token] = name
    return token


def issue_cookie(app: Any, name: str) -> str:
    """Return the cookie of a new login, as it is written in a header."""
    return f"{cookie_names(app)[1]}={issue_token(app, name)}"
