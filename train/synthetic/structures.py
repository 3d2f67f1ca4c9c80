"""Structures of a lesion (`structures.yaml`): drawing function, colours and words by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from . import networks, pigmentation, surface, vessels
from .canvas import Canvas

Draw = Callable[[Canvas, np.random.Generator], None]
TABLE = Path(__file__).with_name("structures.yaml")
MODULES = {"networks": networks, "pigmentation": pigmentation, "surface": surface, "vessels": vessels}


@dataclass(frozen=True)
class Structure:
    """One kind of structure.

    Attributes:
        draw: Draws it on a canvas.
        colours: Colours it brings to the lesion.
        words: Synonyms; the first is the plainest.
    """

    draw: Draw
    colours: tuple[str, ...]
    words: tuple[str, ...]


def _read() -> dict[str, Structure]:
    table = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    structures = {}
    for name, row in table.items():
        module, function = row["draw"].split(".")
        draw: Draw = getattr(MODULES[module], function)
        structures[name] = Structure(draw, tuple(row["colours"]), tuple(row["words"]))
    return structures


STRUCTURES = _read()  # in the order of drawing
