"""Densities of the skin's pigments and the opaque colours that structures are drawn in."""

from __future__ import annotations

# Optical density in red, green, blue of one unit of pigment.
MELANIN = (0.42, 0.68, 0.92)
BLOOD = (0.16, 0.95, 0.72)
DARK = (1.0, 1.12, 1.12)
BLUE = (0.95, 0.72, 0.5)  # melanin deep in the skin looks blue

WHITE = (236, 222, 214)
SCAR = (233, 209, 202)
VEIL = (118, 138, 168)
STEEL = (84, 100, 128)
GREY = (112, 112, 122)
KERATIN = (226, 202, 150)
CYST = (250, 240, 206)
CRUST = (92, 34, 26)
