"""How much one request may send: what is read into memory little, what goes to disk as it comes more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from dermnote.app.serving.upload import UPLOAD_ROUTE

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

MB = 1024**2
CALL, UPLOAD = 32 * MB, 512 * MB  # a picture in a call is Base64, a third longer; an upload may be many pictures


class Sizes:
    """ASGI middleware: refuses a longer request with 413, by what it announces or by what it sends.

    Args:
        app: What answers the requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.calls = RequestBodyLimitMiddleware(app, max_body_size=CALL)
        self.uploads = RequestBodyLimitMiddleware(app, max_body_size=UPLOAD)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what is short enough."""
        upload = scope["type"] == "http" and scope["path"].endswith(UPLOAD_ROUTE)
        await (self.uploads if upload else self.calls)(scope, receive, send)
