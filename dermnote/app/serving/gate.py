"""The gate in front of everything: Gradio's own login leaves its tools for agents and some small routes open."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from gradio_client import Client
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    import gradio as gr
    from starlette.types import ASGIApp, Receive, Scope, Send

    from dermnote.app.serving.access import Accounts

# What a login page is made of, and what Gradio asks itself when it starts.
OPEN = {"/", "/login", "/login/", "/theme.css", "/gradio_api/theme.css", "/favicon.ico", "/manifest.json"}
OPEN |= {"/robots.txt", "/gradio_api/startup-events"}
OPEN_FOLDERS = ("/assets/", "/static/", "/svelte/", "/pwa_icon")
CLOSED = {"detail": "Log in first."}


class Gate:
    """ASGI middleware: lets in who logged in on the page, or names himself in an `Authorization: Basic` header.

    Args:
        app: What answers the requests.
        accounts: Who may come in.
    """

    def __init__(self, app: ASGIApp, accounts: Accounts) -> None:
        self.app, self.accounts = app, accounts
        self._tokens: dict[str, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what is open or comes from somebody known; answers the rest with 401."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            known, is_open = await self._known(scope), scope["path"] in OPEN or scope["path"].startswith(OPEN_FOLDERS)
            answer = self.app if known or is_open else JSONResponse(CLOSED, 401)
            await answer(known or scope, receive, send)

    async def _known(self, scope: Scope) -> Scope | None:
        """The request as Gradio knows its sender, by a cookie; None for a stranger's."""
        headers, tokens = Headers(scope=scope), scope["app"].tokens
        cookies = cookie_parser(headers.get("cookie", ""))
        if any(cookies.get(name) in tokens for name in cookie_names(scope["app"])):
            return scope
        if "authorization" in headers and (name := await self.accounts.name_in(headers["authorization"])):
            if self._tokens.get(name) not in tokens:  # the first time, or since that name logged out
                self._tokens[name] = new_token(scope["app"], name)
            return _with_cookie(scope, self._tokens[name])
        return None


def cookie_names(app: Any) -> tuple[str, str]:
    """Of the cookies in which Gradio's login keeps its token; the last is the one without TLS."""
    return f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}"


def new_token(app: Any, name: str) -> str:
    """A token as Gradio's login gives one."""
    token = secrets.token_urlsafe(32)
    app.tokens[token] = name
    return token


def _with_cookie(scope: Scope, token: str) -> Scope:
    headers = [each for each in scope["headers"] if each[0] != b"cookie"]
    return {**scope, "headers": [*headers, (b"cookie", f"{cookie_names(scope['app'])[1]}={token}".encode())]}


def let_tools_in(demo: gr.Blocks) -> None:
    """Gives Gradio's MCP server, which calls the app over HTTP as everybody does, a login of its own."""
    cookie = f"{cookie_names(demo.app)[1]}={new_token(demo.app, 'tools')}"
    demo.mcp_server_obj._client_instance = Client(  # type: ignore[union-attr]
        str(demo.local_url),
        download_files=False,
        verbose=False,
        analytics_enabled=False,
        _skip_components=False,
        headers={"x-gradio-user": "mcp", "cookie": cookie},
    )
