"""Attributes of a drawn lesion; nothing is drawn that they do not name."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

COLOURS = ("white", "red", "light brown", "dark brown", "blue-gray", "black")
ASYMMETRIES = ("symmetric", "asymmetric")
BORDERS = ("sharp", "indistinct", "mixed")
ARTEFACTS = ("hairs", "ruler marks", "gel bubbles", "dark corners", "ink")
SITES = ("head/neck", "anterior torso", "posterior torso", "upper extremity", "lower extremity")
FITZPATRICK = ("I", "II", "III", "IV", "V", "VI")


@dataclass(frozen=True)
class Attributes:
    """A drawn lesion in words and numbers.

    Attributes:
        label: Diagnostic class.
        subtype: Finer diagnosis.
        asymmetry: One of `ASYMMETRIES`.
        border: One of `BORDERS`.
        colours: Of `COLOURS`, every colour that can be seen in the lesion, in that order.
        base_colour: The colour that fills the lesion.
        patch_colours: Colours laid over parts of it; the remaining colours come with the structures.
        structures: Names in `structures.STRUCTURES`, in drawing order.
        skin_type: Fitzpatrick type, 1 (lightest) to 6.
        site: One of `SITES`.
        age: Years.
        sex: "female" or "male".
        artefacts: Of `ARTEFACTS`.
        reach: Mean radius of the lesion as a share of the image's side.
        position: Centre of the lesion (x, y) as shares of the image's side.
    """

    label: str
    subtype: str
    asymmetry: str
    border: str
    colours: tuple[str, ...]
    base_colour: str
    patch_colours: tuple[str, ...]
    structures: tuple[str, ...]
    skin_type: int
    site: str
    age: int
    sex: str
    artefacts: tuple[str, ...]
    reach: float
    position: tuple[float, float]

    @property
    def skin(self) -> str:
        """Skin tone with its scale."""
        return f"Fitzpatrick {FITZPATRICK[self.skin_type - 1]}"

    def to_mapping(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
