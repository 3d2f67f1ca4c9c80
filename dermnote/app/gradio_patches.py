"""Changes to Gradio's internals; each names the Gradio version it was written for, so check them after an upgrade."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from gradio.components import Component
from gradio.queueing import AsyncQueue  # type: ignore[attr-defined]  # not re-exported, but where Gradio defines it
from gradio.server_messages import ProcessCompletedMessage
from gradio.state_holder import SessionState, StateHolder
from gradio_client import Client  # type: ignore[import-untyped]  # ships no type hints

from dermnote.app.serving.access import issue_cookie

if TYPE_CHECKING:
    import gradio as gr
    from gradio.queueing import Queue

ComponentT = TypeVar("ComponentT", bound=Component)
BUSY = "DermNote is busy, try again in a moment."


# Gradio 6.31: `SessionState` copies the whole page for each caller, for links that restore a page; this page offers
# none. The copy took as long as reading an image, and 120 KB.
class SmallSession(SessionState):
    """Session state without a copy of the page."""

    def __init__(self, blocks: Any) -> None:
        super().__init__(SimpleNamespace(default_config=blocks.default_config, blocks=()))  # type: ignore[arg-type]

    def _update_value_in_config(self, key: int, value: Any) -> None:
        """Keep nothing: there is no copy to update."""


class SmallSessions(StateHolder):
    """Sessions by hash, created on first use."""

    def __getitem__(self, session_id: str) -> SessionState:
        """Return the session of a hash."""
        if session_id not in self.session_data:
            self.session_data[session_id] = SmallSession(self.blocks)
        return super().__getitem__(session_id)


def use_small_sessions(app: Any) -> None:
    """Replace the session store of Gradio's web application."""
    app.state_holder = SmallSessions()  # type: ignore[no-untyped-call]  # of Gradio
    app.state_holder.set_blocks(app.get_blocks())


# Gradio 6.31: a full queue answers with status 503, which the page, scripts and MCP clients each word differently.
def answer_full_queue(queue: Queue) -> None:
    """Make a full queue accept a request only to answer it at once with `BUSY`."""
    push = queue.push

    async def push_or_refuse(body: Any, request: Any, username: str | None) -> Any:
        outcome = await push(body, request, username)
        return (True, _refuse(queue, body.session_hash), "success") if outcome[2] == "queue_full" else outcome

    queue.push = push_or_refuse  # type: ignore[method-assign]


def _refuse(queue: Queue, session: str | None) -> str:
    """Put the refusal among the pending messages of a session; return the event id that fetches it."""
    event = uuid4().hex
    session = session or event  # as Gradio does for callers without a session
    if session not in queue.pending_messages_per_session:
        queue.pending_messages_per_session[session] = AsyncQueue()
    queue.pending_event_ids_session.setdefault(session, set()).add(event)
    output = {"error": BUSY, "visible": True, "duration": 10, "title": "Busy"}
    refusal = ProcessCompletedMessage(output=output, title="Busy", success=False, event_id=event)
    queue.pending_messages_per_session[session].put_nowait(refusal)
    return event


# Gradio 6.31: the MCP server calls the app over HTTP, without the login that the app asks for.
def log_in_mcp_server(demo: gr.Blocks) -> None:
    """Give Gradio's MCP server a login of its own."""
    demo.mcp_server_obj._client_instance = Client(  # type: ignore[union-attr]
        str(demo.local_url),
        download_files=False,
        verbose=False,
        analytics_enabled=False,
        _skip_components=False,
        headers={"x-gradio-user": "mcp", "cookie": issue_cookie(demo.app, "tools")},
    )


# Gradio 6.31: a handler that updates or skips a component makes a new one from its class, so a method set on the
# component is lost; and the metaclass of components writes a .pyi file beside the module of a subclass.
def with_preprocess(component: type[ComponentT], preprocess: Callable[[Any], Any]) -> type[ComponentT]:
    """Return a subclass of a component with another `preprocess`, made without running the metaclass's constructor."""
    members = {
        "preprocess": lambda _, payload: preprocess(payload),
        "__module__": component.__module__,
        "__doc__": component.__doc__,
    }
    made: type[ComponentT] = type.__new__(type(component), component.__name__, (component,), members)
    return made
