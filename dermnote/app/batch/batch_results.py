"""What came of a batch, as the page and the downloads take it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from dermnote.app.batch.batch_inputs import Batch
from dermnote.app.batch.batch_items import LeftOut
from dermnote.app.batch.batch_run import Outcome, Reading
from dermnote.app.page_frame import shown_source


@dataclass(frozen=True)
class Results:
    """The outcomes of a batch that is done, or was stopped.

    Attributes:
        outcomes: In the order the pictures were given.
        total: How many pictures were given.
        kind: Of picture, as the page spells it.
        model: Name and revision of what read them.
        classnames: That it knows.
        left_out: What was not used.
        remarks: On the table.
    """

    outcomes: Sequence[Outcome]
    total: int
    kind: str
    model: str
    classnames: Sequence[str]
    left_out: Sequence[LeftOut] = ()
    remarks: Sequence[str] = ()

    @classmethod
    def of(cls, outcomes: Sequence[Outcome], batch: Batch, reading: Reading) -> Results:
        """What came of a batch so far."""
        model = reading.answers.model
        named = "@".join(filter(None, (shown_source(model.source), model.revision)))
        names = model.config.classnames
        return cls(outcomes, len(batch.items), reading.kind, named, names, batch.left_out, batch.remarks)

    @cached_property
    def read(self) -> Sequence[Outcome]:
        """Those that were read."""
        return [outcome for outcome in self.outcomes if not outcome.error]

    @cached_property
    def failed(self) -> Sequence[Outcome]:
        """Those that were not."""
        return [outcome for outcome in self.outcomes if outcome.error]

    def summary(self) -> str:
        """All of it in one line."""
        failed = f", {len(self.failed)} failed" if self.failed else ""
        stopped = len(self.outcomes) < self.total
        return f"{'Stopped: ' if stopped else ''}{len(self.read)} of {self.total} read{failed}."
