"""How the page's events are run: one queue for the model, private by default, errors as one line."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import gradio as gr

from dermnote.app.error_messages import fault_line
from dermnote.errors import DermNoteError

# Two at a time: one picture is opened and one answer written while another is read, and memory stays bounded. On two
# busy cores 8 visitors got 18 and 24 answers a second, one at a time 11 and 15, for about the same processor time.
MODEL: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 2}
PRIVATE: dict[str, Any] = {"api_visibility": "private", **MODEL}
# Waiting for a language model keeps nobody else waiting, but a few at a time are enough.
WRITING: dict[str, Any] = {"concurrency_id": "writing", "concurrency_limit": 4}
# Fetching a model takes minutes, and memory: one after the other, beside all else.
LOADING: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "loading", "concurrency_limit": 1}
# For what only moves words about on the page.
LIGHT: dict[str, Any] = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}


def speaking(answer: Callable[..., Any]) -> Callable[..., Any]:
    """Turns an error a user can act on into the one line Gradio shows; anything else stays in the log."""

    @wraps(answer)
    def told(*args: Any, **kwargs: Any) -> Any:
        try:
            return answer(*args, **kwargs)
        except DermNoteError as error:
            raise gr.Error(fault_line(error), print_exception=False) from None

    return told
