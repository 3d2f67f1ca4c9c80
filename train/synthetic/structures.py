"""Every structure by name: its drawing function, the colours it brings, and the words for it."""

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


DRAW: dict[str, Draw] = {
    "homogeneous blue pigmentation": pigmentation.blue_pigmentation,
    "red lacunae": vessels.red_lacunae,
    "dark lacunae": vessels.dark_lacunae,
    "regular pigment network": networks.regular_network,
    "irregular pigment network": networks.irregular_network,
    "delicate peripheral network": networks.delicate_network,
    "rhomboidal structures": networks.rhomboidal_structures,
    "annular-granular pattern": networks.annular_granular,
    "fissures and ridges": networks.fissures_and_ridges,
    "fingerprint-like structures": networks.fingerprint_structures,
    "strawberry pattern": networks.strawberry_pattern,
    "regular globules": pigmentation.regular_globules,
    "irregular globules": pigmentation.irregular_globules,
    "regular dots": pigmentation.regular_dots,
    "irregular dots": pigmentation.irregular_dots,
    "branched streaks": pigmentation.branched_streaks,
    "leaf-like areas": pigmentation.leaf_like_areas,
    "blue-gray ovoid nests": pigmentation.ovoid_nests,
    "spoke-wheel areas": pigmentation.spoke_wheels,
    "structureless areas": surface.structureless_areas,
    "blue-white veil": pigmentation.blue_white_veil,
    "regression areas": pigmentation.regression_areas,
    "diffuse gray peppering": pigmentation.gray_peppering,
    "central white scar": surface.central_scar,
    "white structureless areas": surface.white_areas,
    "fine short vessels": vessels.fine_vessels,
    "linear wavy vessels": vessels.wavy_vessels,
    "linear irregular vessels": vessels.irregular_vessels,
    "dotted vessels": vessels.dotted_vessels,
    "clustered glomerular vessels": vessels.glomerular_vessels,
    "hairpin vessels": vessels.hairpins,
    "arborising vessels": vessels.arborising_vessels,
    "white circles": surface.white_circles,
    "radial hairpin vessels": vessels.radial_hairpins,
    "comedo-like openings": surface.comedo_like_openings,
    "milia-like cysts": surface.milia_like_cysts,
    "rosettes": surface.rosettes,
    "shiny white lines": surface.shiny_white_lines,
    "white collarette": surface.white_collarette,
    "ulceration": surface.ulceration,
    "central keratin mass": surface.keratin_mass,
    "surface scale": surface.surface_scale,
    "hemorrhagic crust": surface.hemorrhagic_crust,
}


def _read() -> dict[str, Structure]:
    table = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return {name: Structure(DRAW[name], tuple(row["colours"]), tuple(row["words"])) for name, row in table.items()}


STRUCTURES = _read()  # in the order of drawing
