"""State of the Compare tab: one case, its notes by strategy, and the requests under way."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dermnote.app.cards import RESEARCH_ONLY
from dermnote.app.compare.strategy_notes import StrategyNote
from dermnote.metadata import LesionMetadata
from dermnote.notes.strategies import STRATEGIES

LLM_STRATEGIES = tuple(name for name, strategy in STRATEGIES.items() if strategy.needs_model)


@dataclass(frozen=True)
class CaseComparison:
    """One case and its notes.

    Attributes:
        record: The current fields.
        modality: Kind of the image, as the interface spells it.
        notes: By strategy, those that have arrived.
        waiting: Strategies that were requested and have not arrived.
        stopped: Whether the visitor stopped the requests.
    """

    record: LesionMetadata = field(default_factory=LesionMetadata)
    modality: str = "dermoscopy"
    notes: Mapping[str, StrategyNote] = field(default_factory=dict)
    waiting: frozenset[str] = frozenset()
    stopped: bool = False

    @property
    def outdated(self) -> list[str]:
        """Return the strategies whose notes were requested for other fields than the current ones."""
        return [name for name, each in self.notes.items() if name in LLM_STRATEGIES and each.record != self.record]

    def with_note(self, note: StrategyNote) -> CaseComparison:
        """Return a copy with one more note."""
        return replace(self, notes={**self.notes, note.strategy: note}, waiting=self.waiting - {note.strategy})

    def without_notes(self, *names: str) -> CaseComparison:
        """Return a copy without the notes of these strategies."""
        return replace(self, notes={name: each for name, each in self.notes.items() if name not in names})

    def restarted(self, modality: str, waiting: Sequence[str] = ()) -> CaseComparison:
        """Return a copy without notes of the language model, in which `waiting` are requested."""
        return CaseComparison(self.record, modality, self.without_notes(*LLM_STRATEGIES).notes, frozenset(waiting))

    def ended(self) -> CaseComparison:
        """Return a copy without requests under way; those still missing count as stopped."""
        return replace(self, waiting=frozenset(), stopped=self.stopped or bool(self.waiting))

    def download(self) -> dict[str, Any]:
        """Return the contents of the download: one entry per strategy, with the record its note was checked against."""
        entries = [self.notes[name] for name in STRATEGIES if name in self.notes]
        notes = [{**each.plain(), "record": each.record.to_mapping()} for each in entries]
        return {"notes": notes, "caution": RESEARCH_ONLY}


class ComparisonState:
    """A comparison that several handlers change at once, and the error of its inputs. Thread-safe.

    Each handler changes the state and then shows all of it, and a run of requests checks it before it shows anything,
    at the end too. So the last update of the page is right, in whatever order updates arrive.

    Attributes:
        comparison: The current one.
        error: Of image or fields, in one line; else empty.
    """

    def __init__(self) -> None:
        self.comparison, self.error = CaseComparison(), ""
        self._run: object | None = None
        self._lock = threading.Lock()

    def __deepcopy__(self, memo: dict[int, Any]) -> ComparisonState:
        """Return a new state: Gradio copies the first value of a state for each visitor."""
        return ComparisonState()

    def set_error(self, error: str) -> None:
        """Set the error of an input; the notes stay."""
        self.error = error

    def set_record(self, record: LesionMetadata, template: StrategyNote | None) -> None:
        """Set the record and its template note; the notes of the language model stay."""
        with self._lock:
            self.error = ""
            changed = replace(self.comparison.without_notes("m"), record=record)
            self.comparison = changed if template is None else changed.with_note(template)

    def reset(self, modality: str) -> None:
        """End a run and drop the notes of the language model, for another image or another kind of image."""
        with self._lock:
            self._run, self.error = None, ""
            self.comparison = self.comparison.restarted(modality)

    def begin(self, modality: str) -> object | None:
        """Begin a run of requests; return its handle, or None while another one is under way."""
        with self._lock:
            if self._run is not None:
                return None
            self._run = run = object()
            self.comparison = self.comparison.restarted(modality, waiting=LLM_STRATEGIES)
            return run

    def add(self, run: object, note: StrategyNote | None) -> bool:
        """Add a note of a run, if any; return False, and add nothing, if the run was ended meanwhile."""
        with self._lock:
            active = self._run is run
            if active and note is not None:
                self.comparison = self.comparison.with_note(note)
            return active

    def end(self, run: object) -> None:
        """End this run, if it was not ended before."""
        with self._lock:
            if self._run is run:
                self._end()

    def stop(self) -> None:
        """End the current run, if any."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        self._run, self.comparison = None, self.comparison.ended()
