"""What a visitor is told when a limit is reached: that nothing was sent, and when to try again."""

from __future__ import annotations

import math

from dermnote.errors import NotesError

PER_HOUR, MAX_USD = "DERMNOTE_LLM_PER_HOUR", "DERMNOTE_LLM_MAX_USD"


class AllowanceError(NotesError):
    """A limit on asking the language model is reached, and nothing was sent; the hint says what to do."""

    @classmethod
    def until(cls, why: str, seconds: float) -> AllowanceError:
        """A limit that has room again in so many seconds."""
        return cls(f"{why} Nothing was sent.", f"Try again {in_words(seconds)}; the template (M) always works.")

    @classmethod
    def too_much(cls, why: str, setting: str) -> AllowanceError:
        """A request that the limit never has room for."""
        return cls(f"{why} Nothing was sent.", f"Whoever started this app should raise {setting}.")


def in_words(seconds: float) -> str:
    """How long to wait, rounded up: "in 12 minutes"."""
    minutes = max(1, math.ceil(seconds / 60))
    if minutes > 90:
        return f"in {math.ceil(minutes / 60)} hours"
    return "in a minute" if minutes == 1 else f"in {minutes} minutes"
