"""What the server remembers of a visitor: chosen model and written note, not a copy of the whole page.

Gradio keeps such a copy for every caller, for links that bring a page back as it was; this page offers none. It took
as long to make as a picture takes to read, and 120 KB.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from gradio.state_holder import SessionState, StateHolder


class Session(SessionState):
    """A visitor's session without the copy; `blocks` is the page."""

    def __init__(self, blocks: Any) -> None:
        super().__init__(SimpleNamespace(default_config=blocks.default_config, blocks=()))  # type: ignore[arg-type]

    def _update_value_in_config(self, key: int, value: Any) -> None:
        """Where Gradio would keep the copy up to date."""


class Sessions(StateHolder):
    """Sessions by hash, made when they are first asked for."""

    def __getitem__(self, session_id: str) -> SessionState:
        """The session of a hash."""
        if session_id not in self.session_data:
            self.session_data[session_id] = Session(self.blocks)
        return super().__getitem__(session_id)
