"""A language model whose answers to some requests come when the test lets them go."""

from __future__ import annotations

import json
import threading
from types import TracebackType
from typing import Any


def requests_image_only(body: dict[str, Any]) -> bool:
    """Whether a chat completion's body asks for a P3 note: only that one has the class stated."""
    return "stated_class" in json.dumps(body)


class P3Held:
    """A rule for `LlmServer` that holds back the answers to P3; the others come at once.

    Let go by `let_go.set()`, or where its `with` ends, so that no test leaves a thread behind.
    """

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def __call__(self, body: dict[str, Any]) -> None:
        if requests_image_only(body):
            self.let_go.wait(60)

    def __enter__(self) -> P3Held:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.let_go.set()
