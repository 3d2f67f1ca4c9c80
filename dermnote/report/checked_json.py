"""Tolerant readers of JSON data that anybody may have written: what does not fit is read as unknown, nothing raises."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from itertools import islice
from typing import Annotated, Any, Self, TypeVar, get_type_hints

LARGEST = 1e9
MAX_NAME, MAX_LINE = 120, 4000  # characters of a name and of any other text
MAX_ENTRIES, MAX_DEPTH = 60, 12  # of a JSON object or array, and of nesting, in a file from outside
T = TypeVar("T")


def bounded(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Return JSON data with the first `MAX_ENTRIES` of each object, and without longer arrays or deeper nesting."""
    if isinstance(value, Mapping):
        return {key: bounded(each, depth - 1) for key, each in islice(value.items(), MAX_ENTRIES)} if depth else {}
    if isinstance(value, list | tuple):
        return [bounded(each, depth - 1) for each in value] if depth and len(value) <= MAX_ENTRIES else []
    return value


def as_mapping(value: Any) -> Mapping[str, Any]:
    """Return a JSON object; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: Any) -> Sequence[Any]:
    """Return a JSON array; an empty one for anything else."""
    return value if isinstance(value, list | tuple) else ()


def as_number(value: Any, low: float = -LARGEST, high: float = LARGEST) -> float | None:
    """Return a number within the range; None for anything else, NaN and infinities included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if low <= value <= high else None


def as_share(value: Any) -> float | None:
    """Return a number from 0 to 1, else None."""
    return as_number(value, 0, 1)


def as_count(value: Any) -> int | None:
    """Return a whole number from 0, else None."""
    found = as_number(value, 0)
    return None if found is None or found != int(found) else int(found)


def as_text(value: Any, longest: int = MAX_NAME) -> str:
    """Return a text on one line, without lone surrogates and control characters; "" for anything else."""
    if not isinstance(value, str):
        return ""
    line = " ".join(value[: 4 * longest].split())
    plain = "".join(letter for letter in line if not unicodedata.category(letter).startswith("C"))
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def as_line(value: Any) -> str:
    """Return a text that may be longer than a name."""
    return as_text(value, MAX_LINE)


def list_of(read: Callable[[Any], T | None]) -> Callable[[Any], tuple[T, ...]]:
    """Return a reader of arrays that leaves out the entries read as None."""
    return lambda value: tuple(each for each in map(read, as_list(value)) if each is not None)


def object_of(read: Callable[[Any], T | None]) -> Callable[[Any], dict[str, T]]:
    """Return a reader of objects that leaves out the values read as None."""

    def read_object(value: Any) -> dict[str, T]:
        found = {as_text(name): read(each) for name, each in as_mapping(value).items()}
        return {name: each for name, each in found.items() if each is not None}

    return read_object


Count = Annotated[int | None, as_count]
Share = Annotated[float | None, as_share]
Text = Annotated[str, as_line]
Texts = Annotated[tuple[str, ...], list_of(as_text)]
TextByName = Annotated[Mapping[str, str], object_of(as_line)]
CountByName = Annotated[Mapping[str, int], object_of(as_count)]


@dataclass(frozen=True)
class Figure:
    """A measured value.

    Attributes:
        value: None if it is undefined or was not measured.
        ci: 95% interval; None if there is none.
    """

    value: float | None = None
    ci: tuple[float, float] | None = None

    @classmethod
    def read(cls, value: Any, ci: Any = None, limit: float = 2) -> Figure:
        """Return the figure of raw values within -limit..limit."""
        ends = [as_number(end, -limit, limit) for end in as_list(ci)]
        low, high = ends if len(ends) == 2 else (None, None)
        interval = None if low is None or high is None or low > high else (low, high)
        return cls(as_number(value, -limit, limit), interval)

    @classmethod
    def read_wide(cls, value: Any) -> Figure:
        """Return a figure that is no share, cosine or kappa, so of any size."""
        return cls.read(value, limit=LARGEST)

    def text(self, digits: int = 3) -> str:
        """Return "value [low, high]", or a dash if it is undefined."""
        if self.value is None:
            return "–"
        interval = f" [{self.ci[0]:.{digits}f}, {self.ci[1]:.{digits}f}]" if self.ci else ""
        return f"{self.value:.{digits}f}{interval}"


Plain = Annotated[Figure, Figure.read]  # without an interval
Wide = Annotated[Figure, Figure.read_wide]
FigureByName = Annotated[Mapping[str, Figure], object_of(Figure.read)]


@cache
def _readers(kind: Any) -> dict[str, Callable[[Any], Any] | None]:
    """Return the reader of every field without a default, by name; None for a `Figure` with an interval."""
    hints = get_type_hints(kind, include_extras=True)
    read = [each.name for each in fields(kind) if each.default is MISSING]
    return {name: None if hints[name] is Figure else hints[name].__metadata__[0] for name in read}


@dataclass(frozen=True)
class Record:
    """A JSON object with the fields of a subclass, each read as its annotation says.

    The interval of a `Figure` is that of its name under "ci"; where "ci" is an interval, it is the first figure's.
    """

    @classmethod
    def read(cls, value: Any) -> Self:
        """Return the record of raw data of any shape."""
        kind: Any = cls
        record, read = as_mapping(value), {}
        ends = record.get("ci")
        for name, reader in _readers(kind).items():
            if reader:
                read[name] = reader(record.get(name))
            else:
                read[name] = Figure.read(record.get(name), as_mapping(ends).get(name) if as_mapping(ends) else ends)
                ends = ends if as_mapping(ends) else None
        return cls(**read)

    @classmethod
    def read_if_any(cls, value: Any) -> Self | None:
        """Return the record, or None where the raw data are no object or an empty one."""
        return cls.read(value) if as_mapping(value) else None
