"""What one visitor's Compare tab shows, while several handlers change it at once."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from dermnote.app.compare.comparison import ASKED, Comparison
from dermnote.app.compare.strategy_runs import Outcome
from dermnote.metadata import LesionMetadata


class Board:
    """A comparison and what is wrong with it. May be used from several threads at once.

    Whoever changes it shows it afterwards as it then is, and an asking looks here before it shows anything, at its end
    at the latest. So what is shown last is true, whatever came between and in whatever order the page got it.

    Attributes:
        comparison: As it stands.
        fault: Of picture or fields, in one line; else empty.
    """

    def __init__(self) -> None:
        self.comparison, self.fault = Comparison(), ""
        self._asking: object | None = None
        self._lock = threading.Lock()

    def __deepcopy__(self, memo: dict[int, Any]) -> Board:
        """Gradio copies a state's first value for each visitor."""
        return Board()

    def complain(self, fault: str) -> None:
        """Something cannot be read; what is there stays."""
        self.fault = fault

    def fill(self, record: LesionMetadata, template: Outcome | None) -> None:
        """The record as it is now, with what its template gave; what the language model said stays."""
        with self._lock:
            self.fault = ""
            filled = replace(self.comparison.without("m"), record=record)
            self.comparison = filled if template is None else filled.having(template)

    def renew(self, modality: str) -> None:
        """Another picture, or another kind of it: ends an asking, and drops what was said of the one before."""
        with self._lock:
            self._asking, self.fault = None, ""
            self.comparison = self.comparison.anew(modality)

    def begin(self, modality: str) -> object | None:
        """Begins an asking; what names it from now on, or None while another one goes on."""
        with self._lock:
            if self._asking is not None:
                return None
            self._asking = asking = object()
            self.comparison = self.comparison.anew(modality, waiting=ASKED)
            return asking

    def goes_on(self, asking: object, outcome: Outcome | None) -> bool:
        """Whether an asking was not ended meanwhile; then what it brought, if anything, stands here."""
        with self._lock:
            going = self._asking is asking
            if going and outcome is not None:
                self.comparison = self.comparison.having(outcome)
            return going

    def end(self, asking: object) -> None:
        """Ends this asking, if it was not ended before."""
        with self._lock:
            if self._asking is asking:
                self._at_rest()

    def stop(self) -> None:
        """Ends whatever asking there is."""
        with self._lock:
            self._at_rest()

    def _at_rest(self) -> None:
        self._asking, self.comparison = None, self.comparison.at_rest()
