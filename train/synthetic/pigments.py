"""Densities of the skin's pigments and the opaque colours that structures are drawn in."""

from __future__ import annotations

# Optical density in red, green, blue of one unit of pigment.
MELANIN = (0.42, 0.68, 0.92)
BLOOD = (0.12, 0.9, 0.68)
VESSEL = (0.2, 1.3, 1.02)  # blood in a vessel, seen sharply
CLOT = (0.95, 1.25, 1.05)
DARK = (1.0, 1.12, 1.12)
DEEP = (0.9, 0.82, 0.7)  # melanin deep in the skin looks blue
UMBER = (0.72, 0.92, 1.05)  # dense melanin near the surface, nearly black

# Opaque colours, 0 to 255.
WHITE = (234, 217, 210)
BRIGHT = (250, 242, 236)
SCAR = (232, 206, 198)
HAZE = (204, 208, 220)
VEIL = (116, 126, 146)
STEEL = (96, 99, 108)
GREY = (112, 104, 108)
GRANULE = (92, 92, 100)
NEST = (80, 82, 98)
LEAF = (98, 76, 72)
OCHRE = (196, 158, 100)
KERATIN = (224, 204, 164)
CREAM = (243, 234, 212)
CYST = (244, 230, 198)
PLUG = (50, 35, 26)
FOLLICLE = (220, 186, 136)
RAW = (150, 46, 40)
CRUST = (84, 32, 26)
SCAB = (50, 18, 18)
