"""What a visitor is told when something goes wrong: a command's hints name options that a page does not have."""

from __future__ import annotations

from dermnote.errors import DermNoteError
from dermnote.llm import llm_errors

OWNER = "Whoever started this app should check"
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


def fault_line(error: DermNoteError) -> str:
    """The error's message and what can be done about it from here, in one line."""
    unusable = "The model's answer cannot be used: " if isinstance(error, llm_errors.MalformedError) else ""
    hint = HINTS.get(type(error), error.hint) if isinstance(error, llm_errors.WriterError) else error.hint
    return f"{unusable}{error.message} {hint}".strip()
