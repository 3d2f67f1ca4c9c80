"""What stands between the network and the page: a gate, clean uploads, bounded memory and disk, one line when full."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradio.utils import get_upload_folder
from starlette.middleware import Middleware

from dermnote.app.serving.busy import refuse_in_words
from dermnote.app.serving.gate import Gate
from dermnote.app.serving.plain_errors import PlainFaults
from dermnote.app.serving.request_limits import Sizes
from dermnote.app.serving.sessions import Sessions
from dermnote.app.serving.upload import CleanUploads
from dermnote.app.serving.upload_folder import looked_after

if TYPE_CHECKING:
    from dermnote.app.serving.access import Accounts


def app_kwargs(accounts: Accounts | None) -> dict[str, Any]:
    """What `launch` hands on to the web framework; the first middleware meets a request first.

    Args:
        accounts: Who may come in; None lets in everybody.
    """
    gate = [] if accounts is None else [Middleware(Gate, accounts)]
    return {
        "middleware": [Middleware(PlainFaults), Middleware(Sizes), *gate, Middleware(CleanUploads)],
        "lifespan": attended,
    }


@asynccontextmanager
async def attended(app: Any) -> AsyncIterator[None]:
    """From the start of the server to its end; `app` is Gradio's."""
    app.state_holder = Sessions()
    app.state_holder.set_blocks(app.get_blocks())
    refuse_in_words(app.get_blocks()._queue)
    async with looked_after(Path(get_upload_folder())):
        yield
