"""What was given to read: each picture by its name, opened only when its turn comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Upload:
    """An uploaded file.

    Attributes:
        name: As its owner calls it; outside words.
        path: Where it lies.
    """

    name: str
    path: Path

    @property
    def suffix(self) -> str:
        """The end of its name, in small letters."""
        return Path(self.name).suffix.lower()


@dataclass(frozen=True)
class Item:
    """A picture to read.

    Attributes:
        name: Unique in a batch; of a picture in a zip with its folders.
        read: Its bytes, in memory only. PictureError if it cannot be had.
        fields: What the table says of it, as `LesionMetadata` names it.
        fault: Why it is not read at all; else empty.
    """

    name: str
    read: Callable[[], bytes]
    fields: Mapping[str, str] = field(default_factory=dict)
    fault: str = ""


@dataclass(frozen=True)
class LeftOut:
    """Something that was given and is not used, and why."""

    name: str
    reason: str
