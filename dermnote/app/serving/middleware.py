"""ASGI middleware and lifespan of the server: errors in one line, request sizes, clean uploads, bounded disk use."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio import CapacityLimiter, to_thread
from gradio.route_utils import FnIndexInferError
from gradio.utils import get_upload_folder
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.responses import JSONResponse

from dermnote.app.gradio_patches import answer_full_queue, use_small_sessions
from dermnote.app.serving.access import Gate
from dermnote.app.serving.uploads import strip_metadata, tidied

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from dermnote.app.serving.access import Accounts

log = logging.getLogger("uvicorn.error")  # the server's own error log
UNKNOWN = {"detail": "There is no such endpoint."}
FAILED = {"detail": "This request cannot be answered. Check what it sends against /gradio_api/info."}
UPLOAD_ROUTE = "/gradio_api/upload"
MB = 1024**2
MAX_CALL, MAX_UPLOAD = 32 * MB, 512 * MB  # an image in a call is Base64, a third longer; an upload may be many images
DECODED_AT_ONCE = 2  # images in memory while many are uploaded


def app_kwargs(accounts: Accounts | None) -> dict[str, Any]:
    """Return the `app_kwargs` of Gradio's `launch`; the first middleware meets a request first."""
    gate = [] if accounts is None else [Middleware(Gate, accounts)]
    return {
        "middleware": [Middleware(ErrorLines), Middleware(RequestSizes), *gate, Middleware(CleanUploads)],
        "lifespan": _lifespan,
    }


@asynccontextmanager
async def _lifespan(app: Any) -> AsyncIterator[None]:
    use_small_sessions(app)
    answer_full_queue(app.get_blocks()._queue)
    async with tidied(Path(get_upload_folder())):
        yield


class ErrorLines:
    """ASGI middleware: converts unhandled exceptions to one-line errors and completes streams that had begun."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, noting whether an answer has begun."""
        begun = False

        async def note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, note)
        except Exception as error:
            if scope["type"] != "http":
                raise
            if begun:
                await send({"type": "http.response.body", "body": b""})
            elif isinstance(error, FnIndexInferError):
                await JSONResponse(UNKNOWN, 404)(scope, receive, send)
            else:
                log.exception("A request to %s could not be answered", scope["path"])
                await JSONResponse(FAILED, 500)(scope, receive, send)


class RequestSizes:
    """ASGI middleware: refuses a request over `MAX_CALL` bytes, an upload over `MAX_UPLOAD`, with 413."""

    def __init__(self, app: ASGIApp) -> None:
        self.calls = RequestBodyLimitMiddleware(app, max_body_size=MAX_CALL)
        self.uploads = RequestBodyLimitMiddleware(app, max_body_size=MAX_UPLOAD)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on requests within the limit."""
        upload = scope["type"] == "http" and scope["path"].endswith(UPLOAD_ROUTE)
        await (self.uploads if upload else self.calls)(scope, receive, send)


class CleanUploads:
    """ASGI middleware: strips the metadata of uploads after they are written and before their paths are returned.

    Later would be too late: the browser requests the file at once, and must not meet it while it changes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._limiter = CapacityLimiter(DECODED_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; hold the answer to an upload back."""
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith(UPLOAD_ROUTE):
            await self.app(scope, receive, send)
            return
        held: list[Message] = []

        async def hold(message: Message) -> None:
            held.append(message)

        await self.app(scope, receive, hold)  # to its very end: Gradio may still be moving the file
        body = b"".join(message.get("body", b"") for message in held)
        if held and held[0].get("status") == 200:
            for path in filter(Path.is_file, map(Path, json.loads(body))):
                await to_thread.run_sync(strip_metadata, path, limiter=self._limiter)
        for message in held:
            await send(message)
