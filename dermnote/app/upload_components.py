"""Components that read what is uploaded to them in their own way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from gradio.components import Component

Kind = TypeVar("Kind", bound=Component)


def taking(component: type[Kind], read: Callable[[Any], Any]) -> type[Kind]:
    """A kind of component whose `preprocess` is `read`.

    Not a method put on one component: Gradio makes a visitor's component anew, from its class, whenever a handler
    updates it or skips it. Not a subclass written out either: Gradio's metaclass would write a .pyi file beside this
    one, so it is left out of the making.

    Args:
        component: What is shown, e.g. gr.Image.
        read: Takes what the browser or a client sent.
    """
    words = {
        "preprocess": lambda _, payload: read(payload),
        "__module__": component.__module__,
        "__doc__": component.__doc__,
    }
    made: type[Kind] = type.__new__(type(component), component.__name__, (component,), words)
    return made
