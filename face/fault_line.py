"""What a visitor is told when something goes wrong: a command's hints name options that a page does not have."""

from __future__ import annotations

from dermnote.errors import DermNoteError
from dermnote.notes import faults

OWNER = "Whoever started this app should check"
HINTS: dict[type[faults.WriterError], str] = {
    faults.KeyRefusedError: f"{OWNER} OPENAI_API_KEY.",
    faults.QuotaError: f"{OWNER} the account's credit.",
    faults.UnknownModelError: f"{OWNER} DERMNOTE_LLM, the model's name, and OPENAI_BASE_URL.",
    faults.NotAnApiError: f"{OWNER} OPENAI_BASE_URL: it mostly ends in /v1.",
    faults.UnreachableError: f"{OWNER} that the server runs, and OPENAI_BASE_URL.",
    faults.BusyError: "Press again in a minute.",
    faults.ServerFaultError: "Press again in a minute.",
    faults.SlowError: "Press again, or have a faster model set up.",
    faults.MalformedError: "Press again; a model that follows a JSON schema does better.",
}


def fault_line(error: DermNoteError) -> str:
    """The error's message and what can be done about it from here, in one line."""
    unusable = "The model's answer cannot be used: " if isinstance(error, faults.MalformedError) else ""
    hint = HINTS.get(type(error), error.hint) if isinstance(error, faults.WriterError) else error.hint
    return f"{unusable}{error.message} {hint}".strip()
