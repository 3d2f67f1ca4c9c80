"""Asking the user before pictures leave the machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from dermnote.errors import NotesError
from dermnote.llm.llm_errors import NoKeyError

from ..runtime.console import print_summary
from .cost_estimate import Outlook

if TYPE_CHECKING:
    from dermnote.llm.note_writer import NoteWriter

STORED = "The pictures of a batch lie at the server until it is collected."


def get_consent(writer: NoteWriter, outlook: Outlook, *, yes: bool) -> None:
    """Says what will be sent where and asks whether it may; a server on this machine needs no consent.

    Args:
        writer: Who sends.
        outlook: What.
        yes: Whether the answer was given on the command line.

    Raises:
        NotesError: It may not, or there is nobody to ask.
        NoKeyError: No server is chosen and no key is set.
    """
    if not writer.is_set_up:
        raise NoKeyError("No language model is set up.", "Set OPENAI_API_KEY, or give --base-url.")
    if writer.is_local:
        return
    print_summary(f"To be sent to {writer.host}, for {writer.model}:", outlook.rows())
    if outlook.batch:
        print(STORED)
    if yes:
        return
    if not is_terminal():
        raise NotesError(f"Nobody can be asked whether this may be sent to {writer.host}.", "Add --yes if it may.")
    try:
        answer = input("Send? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise NotesError("Nothing was sent.", "Add --limit or --dry-run to try things out.")


def is_terminal() -> bool:
    """Whether somebody sits there who can be asked."""
    return sys.stdin.isatty()
