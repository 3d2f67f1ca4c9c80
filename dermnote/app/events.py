"""Queues of the page's events, errors as one line, and the scripts that events run in the browser."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import gradio as gr

from dermnote.errors import DermNoteError
from dermnote.llm import llm_errors

# Two at a time: one image is opened and one answer written while another is encoded, and memory stays bounded. On two
# busy cores 8 visitors got 18 and 24 answers a second, one at a time 11 and 15, for about the same processor time.
MODEL: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 2}
PRIVATE: dict[str, Any] = {"api_visibility": "private", **MODEL}
# Waiting for a language model delays nobody else, but a few at a time are enough.
WRITING: dict[str, Any] = {"concurrency_id": "writing", "concurrency_limit": 4}
# Fetching a model takes minutes, and memory: one after the other, beside all else.
LOADING: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "loading", "concurrency_limit": 1}
# For handlers that only move text about on the page.
LIGHT: dict[str, Any] = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}

OWNER = "The owner of this app should check"
HINTS: dict[type[llm_errors.WriterError], str] = {
    llm_errors.KeyRefusedError: f"{OWNER} OPENAI_API_KEY.",
    llm_errors.QuotaError: f"{OWNER} the account's credit.",
    llm_errors.UnknownModelError: f"{OWNER} DERMNOTE_LLM, the model's name, and OPENAI_BASE_URL.",
    llm_errors.NotAnApiError: f"{OWNER} OPENAI_BASE_URL: it mostly ends in /v1.",
    llm_errors.UnreachableError: f"{OWNER} that the server runs, and OPENAI_BASE_URL.",
    llm_errors.BusyError: "Press again in a minute.",
    llm_errors.ServerFaultError: "Press again in a minute.",
    llm_errors.SlowError: "Press again, or have a faster model set up.",
    llm_errors.MalformedError: "Press again; a model that follows a JSON schema does better.",
}

SEEN_ALREADY = "top < window.innerHeight * 0.8"  # for `scroll_to`: on a phone, results begin below the fold
# Offers `text` of the MIME type `type` as a download named `name`.
SAVE_TEXT = """
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], {type}));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
"""
# Offers the object `record` as a JSON file named `name`.
SAVE_RECORD = f"""
  const text = JSON.stringify(record, null, 2) + '\\n', type = 'application/json';{SAVE_TEXT}"""


def error_line(error: DermNoteError) -> str:
    """Return the error and a hint in one line; hints that name command line options are replaced."""
    unusable = "The model's answer cannot be used: " if isinstance(error, llm_errors.MalformedError) else ""
    hint = HINTS.get(type(error), error.hint) if isinstance(error, llm_errors.WriterError) else error.hint
    return f"{unusable}{error.message} {hint}".strip()


def shown_error(error: DermNoteError) -> gr.Error:
    """Return the error that Gradio shows as one line."""
    return gr.Error(error_line(error), print_exception=False)


def with_error_lines(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Convert the `DermNoteError`s of a handler to the line that Gradio shows; others stay in the log."""

    @wraps(handler)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return handler(*args, **kwargs)
        except DermNoteError as error:
            raise shown_error(error) from None

    return wrapped


def scroll_to(selector: str, unless: str, ancestor: str = "") -> str:
    """Return a script that scrolls to a part of the page.

    Args:
        selector: Of the part.
        unless: JavaScript condition under which nothing is done; `top` is the part's upper edge in the window (px).
        ancestor: Selector of the enclosing element to scroll to; the part itself if empty.
    """
    target = f"part.closest('{ancestor}')" if ancestor else "part"
    return f"""
() => {{
  const part = document.querySelector('{selector}');
  if (!part) return;
  const top = part.getBoundingClientRect().top;
  if ({unless}) return;
  const still = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
  {target}.scrollIntoView({{behavior: still ? 'auto' : 'smooth', block: 'start'}});
}}
"""


def select_pressed(attribute: str, then: str = "") -> str:
    """Return a script that turns a press on an element with data-ATTRIBUTE into a select event; `then` runs first."""
    return f"""
element.addEventListener('click', (event) => {{
  const pressed = event.target.closest('[data-{attribute}]');
  if (!pressed) return;
  {then}
  trigger('select', {{{attribute}: pressed.dataset.{attribute}}});
}});
"""
