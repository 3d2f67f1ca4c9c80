"""Which cases a search may find: those of a class, a source, a place on the body, and so on."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

import numpy as np

from dermnote.errors import IndexQueryError
from dermnote.index.case_table import CaseTable
from dermnote.settings import unknown_key
from dermnote.vectors import Rows

FIELDS = ("label", "subtype", "malignancy", "source", "split", "modality", "site", "sex", "skin_type")
Where = Mapping[str, str | Collection[str]]


class CaseFilter:
    """Finds the rows of cases by what is recorded of them; each field is read once, when it is first asked for.

    Args:
        cases: What is searched.
    """

    def __init__(self, cases: CaseTable) -> None:
        self._cases = cases
        self._fields: dict[str, tuple[Rows, list[str]]] = {}

    def rows(self, where: Where | None) -> Rows | None:
        """The rows that fit every field, ascending; a case of which a field is not recorded does not fit it.

        Args:
            where: By field (`FIELDS`) a value, or several of which one is enough. None or empty: all cases.

        Returns:
            (r,), r may be 0; None for all cases.

        Raises:
            IndexQueryError: A field nobody knows, or a value that no case has (the nearest of each is named).
        """
        if not where:
            return None
        fits = np.ones(len(self._cases), dtype=bool)
        for field, wanted in where.items():
            codes, names = self._field(field)
            values = [wanted] if isinstance(wanted, str) else list(wanted)
            fits &= np.isin(codes, [self._code(field, str(value), names) for value in values])
        return np.flatnonzero(fits)

    def _field(self, name: str) -> tuple[Rows, list[str]]:
        """A number a case, -1 where nothing is recorded, and what the numbers stand for."""
        if name not in FIELDS:
            error = unknown_key(str(name), FIELDS, "where")
            raise IndexQueryError(error.message, error.hint)
        if name not in self._fields:
            import pandas as pd

            codes, names = pd.factorize(self._cases.frame([name])[name].replace("", None))
            self._fields[name] = codes, [str(value) for value in names]
        return self._fields[name]

    def _code(self, field: str, value: str, names: list[str]) -> int:
        if value in names:
            return names.index(value)
        near = difflib.get_close_matches(value, names, n=3, cutoff=0.0)
        hint = f"The nearest of {len(names)} values: {', '.join(near)}." if near else "It is recorded of none of them."
        raise IndexQueryError(f"No case of this index has {field} '{value}'.", hint)
