"""Publishers' names of diagnoses, and the eight classes they belong to.

The classes are the shared label set of the authors' related code for arXiv 2511.21827, which also puts lichen planus
(an inflammation) with the benign keratoses. Its tables disagree on squamous cell carcinoma in situ (Bowen's disease):
actinic keratosis in MILK10k, SD-198 and DermNet, squamous cell carcinoma in DERM12345 and MSK. So each
source sets `in_situ`. A name that is not listed has no class: an epidermal or a sebaceous nevus is no mole.
"""

from __future__ import annotations

import re

ACTINIC, SQUAMOUS = "actinic keratosis", "squamous cell carcinoma"  # the two classes in-situ carcinoma is put in
IN_SITU = (
    *("squamous cell carcinoma in situ", "squamous cell carcinoma in situ bowens disease", "bowen disease"),
    *("bowens disease", "bowenoid papulosis"),
)
NAMES = {
    "benign keratosis": (
        *("benign keratosis", "seborrheic keratosis", "seborrheic keratosis irritated", "pigmented benign keratosis"),
        *("solar lentigo", "lentigo", "lentigo nos", "lentigo simplex", "ink spot lentigo", "clear cell acanthoma"),
        *("lichen planus like keratosis", "lichenoid keratosis", "lichen planus"),
    ),
    "dermatofibroma": ("dermatofibroma",),
    "melanocytic nevus": (
        *("nevus", "melanocytic nevus", "melanocytic nevi", "nevocytic nevus", "blue nevus", "clark nevus"),
        *("combined nevus", "compound nevus", "congenital nevus", "dermal nevus", "dysplastic nevus", "halo nevus"),
        *("junction nevus", "junctional nevus", "recurrent nevus", "reed or spitz nevus", "atypical nevus"),
        *("spitz nevus", "nevus spilus"),
        *("atypical spindle cell nevus of reed", "pigmented spindle cell nevus of reed"),
    ),
    "vascular lesion": (
        *("vascular lesion", "angioma", "hemangioma", "strawberry hemangioma", "angiokeratoma", "lymphangioma"),
        *("pyogenic granuloma", "granuloma pyogenic", "vascular spider"),
    ),
    ACTINIC: (*("actinic keratosis", "solar or actinic keratosis", "actinic solar damage actinic keratosis"),),
    "basal cell carcinoma": (
        *("basal cell carcinoma", "basal cell cancer", "basal cell carcinoma morpheiform"),
        *("basal cell carcinoma nodular", "basal cell carcinoma superficial", "solid cystic basal cell carcinoma"),
    ),
    "melanoma": (
        *("melanoma", "malignant melanoma", "melanoma nos", "melanoma in situ", "melanoma invasive"),
        *("melanoma metastasis", "melanoma acral lentiginous", "nodular melanoma nm", "lentigo maligna"),
        *("lentigo maligna melanoma", "superficial spreading melanoma ssm"),
        *("melanoma less than 0.76 mm", "melanoma 0.76 to 1.5 mm", "melanoma more than 1.5 mm"),
    ),
    SQUAMOUS: (
        *("squamous cell carcinoma", "squamous cell cancer", "squamous cell carcinoma nos", "keratoacanthoma"),
        *("squamous cell carcinoma invasive", "squamous cell carcinoma keratoacanthoma"),
    ),
}
CLASS_OF = {name: label for label, names in NAMES.items() for name in names}
# Names that repeat the class in other words, and so are no subtype of it.
SYNONYMS = {
    *("nevus", "naevus", "nevi", "naevi", "mole", "melanocytic naevus", "malignant melanoma", "keratosis"),
    *("bcc", "basal cell cancer", "basalioma", "scc", "squamous cell cancer", "spinalioma", "solar keratosis"),
    *("melanocytic nevi", "nevocytic nevus", "melanoma nos", "squamous cell carcinoma nos", "melanoma, nos"),
    *("solar or actinic keratosis", "squamous cell carcinoma, nos", "common nevus"),
    "actinic solar damage(actinic keratosis)",
}


def plain(name: str) -> str:
    """Return a name in the spelling of the lists above: "Bowen's_Disease" -> "bowens disease"."""
    spelled = name.lower().replace("'", "").replace("naev", "nev").replace("haem", "hem").replace("rrhoeic", "rrheic")
    return re.sub(r"[^a-z0-9.]+", " ", spelled).strip()


def class_of(name: str | None, *, in_situ: str = ACTINIC) -> str | None:
    """Return the class of a diagnosis in the publisher's spelling, or None.

    `in_situ` is the class of squamous cell carcinoma in situ in this source.
    """
    if name is None:
        return None
    known = plain(name)
    return in_situ if known in IN_SITU else CLASS_OF.get(known)


def subtype_of(name: str | None, label: str | None) -> str | None:
    """Return the diagnosis in lower case where it adds to the class, else None."""
    if name is None or label is None:
        return None
    found = name.strip().replace("_", " ").lower()
    return None if found == label or found in SYNONYMS else found
