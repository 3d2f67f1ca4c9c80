"""Sending a request again where that can help, a bounded number of times and for a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from dermnote.llm.llm_errors import BusyError, WriterError
from dermnote.llm.pacing import Pacing, backoff

MayRepeat = Callable[[WriterError], bool]


def always(_: WriterError) -> bool:
    """Sends again whatever happened to the request before."""
    return True


async def retried(
    send: Callable[[], Awaitable[Any]],
    pacing: Pacing,
    max_retries: int,
    patience: float,
    may_repeat: MayRepeat = always,
) -> Any:
    """What `send` returns, once it does.

    Args:
        send: Sends the request and raises WriterError.
        pacing: Shared with all requests to the same server: where it says that it is busy, they wait together.
        max_retries: How often to send again at most.
        patience: Seconds to spend waiting in all; a server that asks for more is not waited for.
        may_repeat: Has the last word before the request is sent again; told what happened to it.

    Raises:
        WriterError: The last one `send` raised, or the first that a retry cannot help.
    """
    waited, tries = 0.0, 0
    while True:
        turn = await pacing.turn(patience - waited)
        if turn is None:
            raise BusyError("The server asks to wait for too long.", "Run again later.", retryable=True)
        waited, tries = waited + turn, tries + 1
        sent = pacing.now()
        try:
            answer = await send()
        except WriterError as fault:
            wait = backoff(tries) if fault.retry_after is None else fault.retry_after
            if not fault.retryable or tries > max_retries or waited + wait > patience or not may_repeat(fault):
                raise
            if isinstance(fault, BusyError) or fault.retry_after is not None:
                pacing.sent_away(wait, sent)
            else:
                await asyncio.sleep(wait)
                waited += wait
        else:
            pacing.let_in()
            return answer
