"""What requests are made, kept and accounted for with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dermnote.llm.budget import Budget

from .decisions import Decisions
from .recorder import Recorder
from .records import Records
from .reply_cache import ReplyCache

if TYPE_CHECKING:
    from dermnote.llm.note_writer import NoteWriter


@dataclass(frozen=True)
class Means:
    """Shared by those who ask one by one and those who ask by batch.

    Attributes:
        writer: The language model.
        cases: Pictures.
        decisions: What a job still needs.
        cache: Takes every reply before anything is made of it.
        recorder: Takes notes and failures.
        budget: Admits requests, and counts what they cost.
    """

    writer: NoteWriter
    cases: Records
    decisions: Decisions
    cache: ReplyCache
    recorder: Recorder
    budget: Budget
