"""What the Compare tab holds of one case: the record, and what came of each strategy so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dermnote.app.cards import RESEARCH_ONLY
from dermnote.app.compare.strategy_runs import Outcome
from dermnote.metadata import LesionMetadata
from dermnote.notes.strategies import STRATEGIES

ASKED = tuple(name for name, strategy in STRATEGIES.items() if strategy.needs_model)


@dataclass(frozen=True)
class Comparison:
    """One case.

    Attributes:
        record: As the fields are filled in now.
        modality: Kind of the picture, as the page spells it.
        outcomes: By strategy, of those that came.
        waiting: Strategies that were asked for and have not come.
        stopped: Whether somebody stopped the asking.
    """

    record: LesionMetadata = field(default_factory=LesionMetadata)
    modality: str = "dermoscopy"
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    waiting: frozenset[str] = frozenset()
    stopped: bool = False

    @property
    def outdated(self) -> list[str]:
        """Strategies whose notes were asked for when the fields said something else."""
        return [name for name, each in self.outcomes.items() if name in ASKED and each.record != self.record]

    def having(self, outcome: Outcome) -> Comparison:
        """The same with one more outcome."""
        return replace(
            self,
            outcomes={**self.outcomes, outcome.strategy: outcome},
            waiting=self.waiting - {outcome.strategy},
        )

    def without(self, *names: str) -> Comparison:
        """The same without what came of these strategies."""
        return replace(self, outcomes={name: each for name, each in self.outcomes.items() if name not in names})

    def anew(self, modality: str, waiting: Sequence[str] = ()) -> Comparison:
        """What the record says by itself, and nothing a language model said; `waiting` are asked for now."""
        return Comparison(self.record, modality, self.without(*ASKED).outcomes, frozenset(waiting))

    def at_rest(self) -> Comparison:
        """The same once nothing is asked for any more; what is still waited for was stopped."""
        return replace(self, waiting=frozenset(), stopped=self.stopped or bool(self.waiting))

    def download(self) -> dict[str, Any]:
        """What the download writes, as JSON-able data: one entry a strategy, with the record it was held against."""
        entries = [self.outcomes[name] for name in STRATEGIES if name in self.outcomes]
        notes = [{**each.plain(), "record": each.record.to_mapping()} for each in entries]
        return {"notes": notes, "caution": RESEARCH_ONLY}
