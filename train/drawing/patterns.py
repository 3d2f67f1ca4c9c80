"""Which structures, colours and borders each subtype shows, and how often: the knowledge behind the drawings.

After the dermoscopic criteria of the consensus on standard terms (Kittler et al., J Am Acad Dermatol 2016) and the
ABCD rule. A simplification for drawing and testing, not clinical teaching.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Odds = Mapping[str, float]


@dataclass(frozen=True)
class Pattern:
    """One subtype.

    Attributes:
        label: Diagnostic class.
        subtype: Finer diagnosis.
        always: Structures that are always drawn.
        odds: Chance of each further structure.
        symmetric: Chance of a symmetric lesion.
        borders: Odds of each border.
        base: Odds of the colour that fills the lesion.
        patches: Chance of each further colour laid over parts.
        sites: Odds of each site; the sites not named keep 1.
        age: Mean age in years.
    """

    label: str
    subtype: str
    always: tuple[str, ...]
    odds: Odds
    symmetric: float
    borders: Odds
    base: Odds
    patches: Odds = field(default_factory=dict)
    sites: Odds = field(default_factory=dict)
    age: float = 58.0


ANY_BORDER = {"sharp": 1, "indistinct": 1, "mixed": 1}
SHARP = {"sharp": 8, "mixed": 1, "indistinct": 1}
BLURRED = {"indistinct": 5, "mixed": 2, "sharp": 1}
BROWN = {"light brown": 1, "dark brown": 1}
FACE = {"head/neck": 6}
LEGS = {"lower extremity": 4, "upper extremity": 2}

KERATOSES = (
    Pattern(
        "benign keratosis",
        "seborrheic keratosis",
        ("milia-like cysts", "comedo-like openings"),
        {"fissures and ridges": 0.5, "hairpin vessels": 0.1, "structureless areas": 0.2},
        0.5,
        SHARP,
        {"light brown": 3, "dark brown": 3, "blue-gray": 0.5, "red": 0.7},
        {"dark brown": 0.4, "blue-gray": 0.2, "black": 0.2},
    ),
    Pattern(
        "benign keratosis",
        "solar lentigo",
        ("fingerprint-like structures", "milia-like cysts"),
        {"comedo-like openings": 0.3, "structureless areas": 0.3},
        0.4,
        SHARP,
        {"light brown": 3, "dark brown": 1},
        {"dark brown": 0.3, "red": 0.15},
        FACE,
    ),
    Pattern(
        "benign keratosis",
        "lichenoid keratosis",
        ("milia-like cysts", "diffuse gray peppering"),
        {"comedo-like openings": 0.4, "structureless areas": 0.4, "shiny white lines": 0.15},
        0.4,
        {"sharp": 4, "mixed": 1, "indistinct": 1},
        {"light brown": 2, "red": 2, "blue-gray": 1},
        {"red": 0.3, "light brown": 0.3},
    ),
)
DERMATOFIBROMAS = (
    Pattern(
        "dermatofibroma",
        "common fibrous histiocytoma",
        ("central white scar", "delicate peripheral network"),
        {"dotted vessels": 0.2, "regular dots": 0.15},
        0.9,
        BLURRED,
        {"light brown": 3, "red": 1, "dark brown": 0.6},
        {"red": 0.25, "dark brown": 0.15},
        LEGS,
        44.0,
    ),
    Pattern(
        "dermatofibroma",
        "hemosiderotic dermatofibroma",
        ("central white scar", "delicate peripheral network", "structureless areas"),
        {"dotted vessels": 0.5, "shiny white lines": 0.3},
        0.7,
        BLURRED,
        {"red": 3, "dark brown": 1, "blue-gray": 1},
        {"blue-gray": 0.4, "dark brown": 0.4},
        LEGS,
        44.0,
    ),
    Pattern(
        "dermatofibroma",
        "atrophic dermatofibroma",
        ("central white scar", "delicate peripheral network", "shiny white lines"),
        {"dotted vessels": 0.25},
        0.8,
        ANY_BORDER,
        {"light brown": 3, "red": 1},
        {"red": 0.3},
        LEGS,
        44.0,
    ),
)
NEVI = (
    Pattern(
        "melanocytic nevus",
        "clark nevus",
        ("regular pigment network",),
        {"regular dots": 0.4, "regular globules": 0.25, "structureless areas": 0.3},
        0.92,
        ANY_BORDER,
        BROWN,
        {"dark brown": 0.4, "black": 0.12, "red": 0.12},
        {"posterior torso": 3, "anterior torso": 2},
        40.0,
    ),
    Pattern(
        "melanocytic nevus",
        "congenital nevus",
        ("regular globules",),
        {"regular pigment network": 0.35, "structureless areas": 0.25, "regular dots": 0.3},
        0.88,
        {"sharp": 2, "indistinct": 1, "mixed": 1},
        {"light brown": 2, "dark brown": 2, "red": 0.6},
        {"dark brown": 0.3, "blue-gray": 0.12},
        {"posterior torso": 2, "anterior torso": 2},
        36.0,
    ),
    Pattern(
        "melanocytic nevus",
        "blue nevus",
        ("homogeneous blue pigmentation",),
        {"regular dots": 0.25, "regular globules": 0.25},
        0.95,
        ANY_BORDER,
        {"blue-gray": 1},
        {"light brown": 0.2},
        {},
        42.0,
    ),
)
VASCULAR = (
    Pattern(
        "vascular lesion",
        "cherry angioma",
        ("red lacunae",),
        {"structureless areas": 0.2},
        0.75,
        SHARP,
        {"red": 1},
        {"blue-gray": 0.2},
        {"anterior torso": 3},
        54.0,
    ),
    Pattern(
        "vascular lesion",
        "angiokeratoma",
        ("red lacunae", "dark lacunae"),
        {"hemorrhagic crust": 0.4, "surface scale": 0.2, "blue-white veil": 0.15},
        0.6,
        SHARP,
        {"red": 2, "blue-gray": 1},
        {},
        LEGS,
        48.0,
    ),
    Pattern(
        "vascular lesion",
        "pyogenic granuloma",
        ("red lacunae", "white collarette"),
        {"ulceration": 0.3, "shiny white lines": 0.4},
        0.8,
        {"sharp": 1},
        {"red": 1},
        {},
        {"upper extremity": 3, "head/neck": 2},
        34.0,
    ),
)
ACTINIC = (
    Pattern(
        "actinic keratosis",
        "facial actinic keratosis",
        ("strawberry pattern", "surface scale"),
        {"linear wavy vessels": 0.3, "rosettes": 0.35},
        0.45,
        BLURRED,
        {"red": 1},
        {"light brown": 0.2},
        FACE,
        71.0,
    ),
    Pattern(
        "actinic keratosis",
        "pigmented actinic keratosis",
        ("strawberry pattern", "surface scale"),
        {"rosettes": 0.3, "irregular dots": 0.3, "diffuse gray peppering": 0.3},
        0.4,
        BLURRED,
        {"light brown": 3, "dark brown": 1, "red": 1},
        {"red": 0.5, "dark brown": 0.3},
        FACE,
        70.0,
    ),
    Pattern(
        "actinic keratosis",
        "bowen disease",
        ("clustered glomerular vessels", "surface scale"),
        {"strawberry pattern": 0.4, "dotted vessels": 0.4, "structureless areas": 0.2},
        0.4,
        {"sharp": 2, "indistinct": 2, "mixed": 2},
        {"red": 4, "light brown": 1},
        {"light brown": 0.3},
        LEGS,
        72.0,
    ),
)
BASAL = (
    Pattern(
        "basal cell carcinoma",
        "nodular basal cell carcinoma",
        ("arborising vessels",),
        {"blue-gray ovoid nests": 0.4, "ulceration": 0.4, "shiny white lines": 0.3, "structureless areas": 0.25},
        0.5,
        ANY_BORDER,
        {"red": 4, "light brown": 1, "white": 0.6},
        {"light brown": 0.15},
        FACE,
        68.0,
    ),
    Pattern(
        "basal cell carcinoma",
        "pigmented basal cell carcinoma",
        ("blue-gray ovoid nests", "leaf-like areas"),
        {"arborising vessels": 0.6, "ulceration": 0.3, "spoke-wheel areas": 0.35, "irregular dots": 0.25},
        0.2,
        ANY_BORDER,
        {"red": 2, "light brown": 2, "dark brown": 0.7},
        {"dark brown": 0.2, "red": 0.3},
        FACE,
        66.0,
    ),
    Pattern(
        "basal cell carcinoma",
        "superficial basal cell carcinoma",
        ("leaf-like areas", "fine short vessels"),
        {"shiny white lines": 0.5, "ulceration": 0.45, "spoke-wheel areas": 0.25},
        0.3,
        {"sharp": 2, "mixed": 1, "indistinct": 1},
        {"red": 4, "light brown": 1},
        {"light brown": 0.25},
        {"posterior torso": 3, "anterior torso": 2},
        64.0,
    ),
)
MELANOMAS = (
    Pattern(
        "melanoma",
        "superficial spreading melanoma",
        ("irregular pigment network", "branched streaks"),
        {
            "blue-white veil": 0.55,
            "irregular dots": 0.6,
            "irregular globules": 0.5,
            "regression areas": 0.4,
            "structureless areas": 0.4,
        },
        0.04,
        {"mixed": 3, "indistinct": 1, "sharp": 1},
        {"light brown": 1, "dark brown": 2, "red": 0.2},
        {"dark brown": 0.7, "black": 0.55, "red": 0.3, "light brown": 0.3},
        {"posterior torso": 2, "lower extremity": 2},
        57.0,
    ),
    Pattern(
        "melanoma",
        "nodular melanoma",
        ("blue-white veil", "irregular globules"),
        {
            "linear irregular vessels": 0.45,
            "irregular dots": 0.5,
            "shiny white lines": 0.4,
            "ulceration": 0.25,
            "branched streaks": 0.3,
        },
        0.15,
        {"sharp": 2, "mixed": 2, "indistinct": 1},
        {"dark brown": 3, "red": 1, "blue-gray": 1, "black": 1},
        {"black": 0.5, "red": 0.35, "dark brown": 0.4},
        {},
        62.0,
    ),
    Pattern(
        "melanoma",
        "lentigo maligna",
        ("annular-granular pattern", "rhomboidal structures"),
        {
            "irregular dots": 0.45,
            "regression areas": 0.4,
            "irregular pigment network": 0.25,
            "structureless areas": 0.3,
        },
        0.05,
        {"mixed": 2, "indistinct": 3, "sharp": 1},
        {"light brown": 3, "dark brown": 1},
        {"dark brown": 0.6, "black": 0.2, "red": 0.15},
        FACE,
        68.0,
    ),
)
SQUAMOUS = (
    Pattern(
        "squamous cell carcinoma",
        "keratoacanthoma",
        ("central keratin mass", "radial hairpin vessels"),
        {"white circles": 0.5, "white structureless areas": 0.5, "hemorrhagic crust": 0.3},
        0.85,
        {"sharp": 5, "mixed": 1},
        {"red": 4, "light brown": 1},
        {},
        {"head/neck": 3, "upper extremity": 3},
        70.0,
    ),
    Pattern(
        "squamous cell carcinoma",
        "well differentiated squamous cell carcinoma",
        ("central keratin mass", "white circles"),
        {
            "white structureless areas": 0.5,
            "radial hairpin vessels": 0.4,
            "clustered glomerular vessels": 0.2,
            "hemorrhagic crust": 0.3,
        },
        0.4,
        ANY_BORDER,
        {"red": 4, "light brown": 1, "white": 0.6},
        {"light brown": 0.15},
        {"head/neck": 3, "upper extremity": 2},
        73.0,
    ),
    Pattern(
        "squamous cell carcinoma",
        "poorly differentiated squamous cell carcinoma",
        ("white circles", "linear irregular vessels"),
        {"ulceration": 0.6, "central keratin mass": 0.4, "hemorrhagic crust": 0.4, "white structureless areas": 0.3},
        0.2,
        ANY_BORDER,
        {"red": 1},
        {},
        {"head/neck": 3, "upper extremity": 2},
        74.0,
    ),
)

PATTERNS: tuple[Pattern, ...] = (
    *KERATOSES,
    *DERMATOFIBROMAS,
    *NEVI,
    *VASCULAR,
    *ACTINIC,
    *BASAL,
    *MELANOMAS,
    *SQUAMOUS,
)


def patterns_of(label: str) -> tuple[Pattern, ...]:
    """The subtypes of a class."""
    return tuple(each for each in PATTERNS if each.label == label)
