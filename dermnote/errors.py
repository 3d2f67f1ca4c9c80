"""Errors with a message, a hint and whether a retry can help."""

from __future__ import annotations


class DermNoteError(Exception):
    """Base of every error DermNote raises on purpose.

    Args:
        message: The problem and its place, in one line.
        hint: The remedy, in one line; may be empty.
        retryable: Whether the same call may succeed later (a network error, a busy server).
    """

    def __init__(self, message: str, hint: str = "", *, retryable: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.retryable = retryable

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class ConfigError(DermNoteError):
    """A setting is unknown, missing or out of range."""


class ImageError(DermNoteError):
    """An image cannot be opened, or is refused (too large, truncated, not an image)."""


PictureError = ImageError  # name until version 0.1


class CasesError(DermNoteError):
    """A table or folder of cases cannot be read, or lacks data that the step needs."""


class NotesError(DermNoteError):
    """A note, a notes file or a strategy cannot be used."""


class BundleError(DermNoteError):
    """A bundle is incomplete, changed since it was written, or made by another model."""


class IndexQueryError(DermNoteError):
    """A search query does not fit the index (width, NaN, k)."""


class HubError(DermNoteError):
    """The Hub could not be reached, or refused the request."""
