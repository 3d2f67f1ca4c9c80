"""What nobody foresaw, told in one line: the trace stays in the log, and the connection whole."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from gradio.route_utils import FnIndexInferError
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("uvicorn.error")  # where the server's own errors go
UNKNOWN = {"detail": "There is no such endpoint."}
FAULT = {"detail": "This request cannot be answered. Check what it sends against /gradio_api/info."}


class PlainFaults:
    """ASGI middleware: answers a request whose handling broke; a stream that was begun is ended as it should be.

    Args:
        app: What answers the requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on, and notes whether an answer has begun."""
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
                await JSONResponse(FAULT, 500)(scope, receive, send)
