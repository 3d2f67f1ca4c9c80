"""A full queue, told as any other error is: one plain line, the same for the page, scripts and MCP clients.

Gradio answers a full queue with a status that each of its clients puts into words of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from gradio.queueing import AsyncQueue
from gradio.server_messages import ProcessCompletedMessage

if TYPE_CHECKING:
    from gradio.queueing import Queue

BUSY = "DermNote is busy, try again in a moment."


def refuse_in_words(queue: Queue) -> None:
    """Makes a full queue take a request only to answer it at once that the app is busy."""
    push = queue.push

    async def push_or_refuse(body: Any, request: Any, username: str | None) -> Any:
        outcome = await push(body, request, username)
        return (True, _refused(queue, body.session_hash), "success") if outcome[2] == "queue_full" else outcome

    queue.push = push_or_refuse  # type: ignore[method-assign]


def _refused(queue: Queue, session: str | None) -> str:
    """Puts the refusal where the asker will fetch its answer; the id it will fetch it by."""
    event = uuid4().hex
    session = session or event  # as Gradio has it for who calls without a session
    if session not in queue.pending_messages_per_session:
        queue.pending_messages_per_session[session] = AsyncQueue()
    queue.pending_event_ids_session.setdefault(session, set()).add(event)
    output = {"error": BUSY, "visible": True, "duration": 10, "title": "Busy"}
    refusal = ProcessCompletedMessage(output=output, title="Busy", success=False, event_id=event)
    queue.pending_messages_per_session[session].put_nowait(refusal)
    return event
