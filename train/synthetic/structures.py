"""Every structure by name: how it is drawn, which colours it brings, and the ways to say it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import networks, pigmentation, surface, vessels
from .canvas import Canvas


@dataclass(frozen=True)
class Structure:
    """One kind of structure.

    Attributes:
        draw: Draws it on a canvas.
        colours: Colours it brings to the lesion.
        words: Ways to say it; the first is the plainest.
    """

    draw: Callable[[Canvas, np.random.Generator], None]
    colours: tuple[str, ...]
    words: tuple[str, ...]


# The order is the order of drawing: from the depth of the skin to its surface.
STRUCTURES: dict[str, Structure] = {
    "homogeneous blue pigmentation": Structure(
        pigmentation.blue_pigmentation,
        ("blue-gray",),
        (
            "homogeneous blue pigmentation",
            "homogeneous steel-blue pigmentation",
            "uniform blue pigmentation throughout",
        ),
    ),
    "red lacunae": Structure(
        vessels.red_lacunae, ("red",), ("red lacunae", "well-demarcated red lacunae", "red to maroon lacunae")
    ),
    "dark lacunae": Structure(
        vessels.dark_lacunae, ("black",), ("dark lacunae", "blue-black lacunae", "dark, thrombosed lacunae")
    ),
    "regular pigment network": Structure(
        networks.regular_network,
        ("dark brown",),
        ("regular pigment network", "typical pigment network", "even, thin pigment network"),
    ),
    "irregular pigment network": Structure(
        networks.irregular_network,
        ("dark brown",),
        ("irregular pigment network", "atypical pigment network", "broadened, irregular pigment network"),
    ),
    "delicate peripheral network": Structure(
        networks.delicate_network,
        ("light brown",),
        ("delicate peripheral pigment network", "fine pigment network at the periphery", "delicate network at the rim"),
    ),
    "rhomboidal structures": Structure(
        networks.rhomboidal_structures,
        ("blue-gray",),
        ("rhomboidal structures", "gray rhomboidal structures around follicles"),
    ),
    "annular-granular pattern": Structure(
        networks.annular_granular,
        ("blue-gray",),
        ("annular-granular pattern", "gray granules in rings around the follicles"),
    ),
    "fissures and ridges": Structure(
        networks.fissures_and_ridges, ("dark brown",), ("fissures and ridges", "cerebriform fissures and ridges")
    ),
    "fingerprint-like structures": Structure(
        networks.fingerprint_structures,
        ("dark brown",),
        ("fingerprint-like structures", "parallel fingerprint-like lines"),
    ),
    "strawberry pattern": Structure(
        networks.strawberry_pattern,
        ("red", "white"),
        ("strawberry pattern", "strawberry pattern of follicles in a red pseudonetwork"),
    ),
    "regular globules": Structure(
        pigmentation.regular_globules,
        ("dark brown",),
        ("regular globules", "evenly spread globules", "cobblestone globules"),
    ),
    "irregular globules": Structure(
        pigmentation.irregular_globules,
        ("dark brown",),
        ("irregular globules", "globules of varied size, unevenly spread"),
    ),
    "regular dots": Structure(
        pigmentation.regular_dots, ("dark brown",), ("regular dots", "evenly spread central dots")
    ),
    "irregular dots": Structure(
        pigmentation.irregular_dots, ("black",), ("irregular dots", "black dots in irregular clumps")
    ),
    "branched streaks": Structure(
        pigmentation.branched_streaks,
        ("dark brown",),
        ("branched streaks", "branched streaks at the rim", "irregular branched streaks at the periphery"),
    ),
    "leaf-like areas": Structure(
        pigmentation.leaf_like_areas, ("dark brown",), ("leaf-like areas", "maple leaf-like areas at the periphery")
    ),
    "blue-gray ovoid nests": Structure(
        pigmentation.ovoid_nests, ("blue-gray",), ("blue-gray ovoid nests", "large blue-gray ovoid nests")
    ),
    "spoke-wheel areas": Structure(
        pigmentation.spoke_wheels, ("dark brown",), ("spoke-wheel areas", "spoke wheel-like structures")
    ),
    "structureless areas": Structure(
        surface.structureless_areas, (), ("structureless areas", "a structureless area", "structureless zones")
    ),
    "blue-white veil": Structure(
        pigmentation.blue_white_veil, ("blue-gray",), ("blue-white veil", "a blue-white veil over part of the surface")
    ),
    "regression areas": Structure(
        pigmentation.regression_areas,
        ("white", "blue-gray"),
        ("regression areas", "scar-like regression areas with peppering"),
    ),
    "diffuse gray peppering": Structure(
        pigmentation.gray_peppering, ("blue-gray",), ("diffuse gray peppering", "gray granules throughout")
    ),
    "central white scar": Structure(
        surface.central_scar, ("white",), ("central white scar", "central scar-like white patch")
    ),
    "white structureless areas": Structure(
        surface.white_areas, ("white",), ("white structureless areas", "milky white structureless areas")
    ),
    "fine short vessels": Structure(
        vessels.fine_vessels, ("red",), ("fine short vessels", "short fine telangiectatic vessels")
    ),
    "linear wavy vessels": Structure(
        vessels.wavy_vessels, ("red",), ("linear wavy vessels", "fine wavy vessels between the follicles")
    ),
    "linear irregular vessels": Structure(
        vessels.irregular_vessels, ("red",), ("linear irregular vessels", "irregular serpentine vessels")
    ),
    "dotted vessels": Structure(vessels.dotted_vessels, ("red",), ("dotted vessels", "scattered dotted vessels")),
    "clustered glomerular vessels": Structure(
        vessels.glomerular_vessels,
        ("red",),
        ("clustered glomerular vessels", "coiled (glomerular) vessels in clusters"),
    ),
    "hairpin vessels": Structure(
        vessels.hairpins, ("red",), ("hairpin vessels", "a few hairpin vessels with a pale halo")
    ),
    "arborising vessels": Structure(
        vessels.arborising_vessels, ("red",), ("arborising vessels", "sharply focused arborising vessels")
    ),
    "white circles": Structure(
        surface.white_circles, ("white",), ("white circles", "white circles around follicular plugs")
    ),
    "radial hairpin vessels": Structure(
        vessels.radial_hairpins, ("red",), ("radial hairpin vessels", "hairpin vessels arranged radially at the rim")
    ),
    "comedo-like openings": Structure(
        surface.comedo_like_openings, ("dark brown",), ("comedo-like openings", "dark comedo-like openings")
    ),
    "milia-like cysts": Structure(
        surface.milia_like_cysts,
        ("white",),
        ("milia-like cysts", "bright milia-like cysts", "multiple milia-like cysts"),
    ),
    "rosettes": Structure(surface.rosettes, ("white",), ("rosettes", "white rosettes")),
    "shiny white lines": Structure(
        surface.shiny_white_lines, ("white",), ("shiny white lines", "crossing shiny white lines")
    ),
    "white collarette": Structure(
        surface.white_collarette, ("white",), ("white collarette", "a white scaly collarette")
    ),
    "ulceration": Structure(surface.ulceration, ("red",), ("ulceration", "an ulcerated area")),
    "central keratin mass": Structure(
        surface.keratin_mass,
        ("white",),
        ("central keratin mass", "a central mass of keratin", "yellow-white keratin filling the centre"),
    ),
    "surface scale": Structure(surface.surface_scale, ("white",), ("surface scale", "white to yellow surface scale")),
    "hemorrhagic crust": Structure(
        surface.hemorrhagic_crust, ("black",), ("hemorrhagic crust", "a dark crust of dried blood")
    ),
}
