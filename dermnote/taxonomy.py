"""Eight diagnostic classes with their malignancy and synonyms.

Ids and grouping follow the label set of the authors' related code for arXiv 2511.21827 (classes 0 to 7);
"five" is the paper-era subset without dermatofibroma, vascular lesion and squamous cell carcinoma, renumbered.
"""

from __future__ import annotations

from dataclasses import dataclass

from dermnote.errors import ConfigError

BENIGN, PRECANCEROUS, MALIGNANT = "benign", "pre-cancerous", "malignant"


@dataclass(frozen=True)
class LesionClass:
    """A diagnostic class.

    Attributes:
        name: Name used everywhere as `label`.
        malignancy: "benign", "pre-cancerous" or "malignant".
        description: One neutral phrase for a reader.
        words: Synonyms and subtypes that name the class; masking removes them from a note.
    """

    name: str
    malignancy: str
    description: str
    words: tuple[str, ...]


_CLASSES = (
    (
        *("benign keratosis", BENIGN),
        "a harmless thickening of the upper skin, such as a seborrheic keratosis or a solar lentigo",
        "seborrheic keratosis, seborrhoeic keratosis, pigmented benign keratosis, solar lentigo, lentigo simplex, "
        "lentigo, lichenoid keratosis, lichen planus-like keratosis, lichen planus, keratosis",
    ),
    (
        *("dermatofibroma", BENIGN, "a harmless firm nodule of fibrous tissue"),
        "fibrous histiocytoma, fibroma, fibrous lesion",
    ),
    (
        *("melanocytic nevus", BENIGN, "a mole"),
        "melanocytic naevus, nevus, naevus, nevi, naevi, mole, blue nevus, clark nevus, spitz nevus, reed nevus, "
        "dysplastic nevus, atypical nevus, congenital nevus, halo nevus, compound nevus, junctional nevus, dermal "
        "nevus, benign melanocytic proliferation",
    ),
    (
        *("vascular lesion", BENIGN, "a growth or collection of blood vessels"),
        "hemangioma, haemangioma, cherry angioma, angioma, angiokeratoma, pyogenic granuloma, vascular "
        "malformation, hemorrhage, haemorrhage",
    ),
    (
        *("actinic keratosis", PRECANCEROUS, "rough sun-damaged skin that can turn into squamous cell carcinoma"),
        "solar keratosis, bowen disease, bowen's disease, squamous cell carcinoma in situ, actinic damage, "
        "intraepidermal carcinoma",
    ),
    (
        *("basal cell carcinoma", MALIGNANT, "the most common skin cancer, slow and locally destructive"),
        "basal cell cancer, basalioma, bcc, rodent ulcer",
    ),
    (
        *("melanoma", MALIGNANT, "a cancer of pigment cells"),
        "malignant melanoma, lentigo maligna, lentigo maligna melanoma, melanoma in situ, superficial spreading "
        "melanoma, nodular melanoma, acral lentiginous melanoma, malignant melanocytic proliferation",
    ),
    (
        *("squamous cell carcinoma", MALIGNANT, "a skin cancer of keratin-making cells"),
        "squamous cell cancer, scc, keratoacanthoma, spinalioma",
    ),
)
EIGHT = tuple(
    LesionClass(name, malignancy, description, tuple(words.split(", ")))
    for name, malignancy, description, words in _CLASSES
)
FIVE = tuple(EIGHT[class_id] for class_id in (0, 2, 4, 5, 6))
MELANOCYTIC_NEVUS, MELANOMA = EIGHT[2], EIGHT[6]
SCHEMES: dict[str, tuple[LesionClass, ...]] = {"eight": EIGHT, "five": FIVE}


def classnames(scheme: str) -> tuple[str, ...]:
    """Return the class names of a scheme ("eight" or "five"), in id order."""
    if scheme not in SCHEMES:
        raise ConfigError(f"Unknown classes '{scheme}'.", f"Known: {', '.join(SCHEMES)}, own.")
    return tuple(each.name for each in SCHEMES[scheme])


def find_class(name: str) -> LesionClass | None:
    """Return the class with this name or synonym (any case), or None."""
    key = name.strip().lower()
    return next((each for each in EIGHT if key == each.name or key in each.words), None)
