"""Names of diagnoses beside those of `dermnote.taxonomy`: what reports call a class, and what is none of the eight.

Spellings (naevus, haemangioma, plural, hyphens, capitals) need no entry: words are compared by one form.
"""

from __future__ import annotations

from dermnote.audit.tokens import forms
from dermnote.vocabularies.lexicon.subtypes import AK, BCC, BKL, DF, MEL, NV, SCC, VASC

# More plain names of a class, in any case.
NAMES: dict[str, tuple[str, ...]] = {
    BCC: (
        "BCC",
        "basal cell epithelioma",
        "basal cell tumour",
        "basaliom",
        "nodular BCC",
        "basal cell ca",
        "rodent ulcer",
    ),
    SCC: ("SCC", "squamous carcinoma", "squamous cell ca", "spinocellular carcinoma", "epidermoid carcinoma", "SCCKA"),
    AK: (
        "AK",
        "AKs",
        "ACK",
        "actinic or solar keratosis",
        "solar actinic keratosis",
        "actinic solar keratosis",
        "keratosis actinica",
    ),
    MEL: ("melanoma", "cutaneous melanoma", "malignant melanoma"),
    NV: ("nevus", "mole", "melanocytic mole", "nevocellular nevus", "melanocytic nevi", "nevomelanocytic nevus"),
    BKL: ("BKL", "benign keratotic lesion", "benign keratosis like lesion", "seborrheic or lichenoid keratosis"),
    DF: (
        "DF",
        "benign fibrous histiocytoma",
        "histiocytoma",
        "dermatofibromata",
        "sclerosing hemangioma",
        "fibrous papule",
    ),
    VASC: (
        "angioma",
        "vascular tumour",
        "vascular proliferation",
        "vascular growth",
        "benign vascular lesion",
        "vascular anomaly",
    ),
}
# Abbreviations that are words or units in small letters.
CAPITAL_NAMES: dict[str, tuple[str, ...]] = {
    MEL: ("MM", "MEL", "LM"),
    NV: ("NV", "NEV", "MN"),
    VASC: ("VASC", "PG"),
    AK: ("AKIEC",),
}
# Words that bear a class's name and are no diagnosis of the lesion, and taxonomy words too wide for free text.
NO_DIAGNOSIS = (
    *("actinic damage", "hemorrhage", "non melanoma", "nonmelanoma", "keratosis pilaris", "lichen planus like"),
    *("granuloma annulare", "squamous cell", "basal cell", "melanoma abcde", "mole map", "mole mapping"),
)
# Diagnoses outside the eight: a note that settles on one names another class than the record's.
OTHERS = (
    *("psoriasis", "eczema", "dermatitis", "viral wart", "verruca vulgaris", "common wart", "sebaceous hyperplasia"),
    *("clear cell acanthoma", "poroma", "Merkel cell carcinoma", "Kaposi sarcoma", "neurofibroma", "epidermoid cyst"),
    *("molluscum contagiosum", "cutaneous lymphoma", "xanthogranuloma", "mastocytosis", "trichoepithelioma"),
    *("cutaneous metastasis", "porokeratosis", "tinea", "atypical fibroxanthoma", "dermatofibrosarcoma"),
)
# Words that may stand between a name and its subtype: "nevus, NOS, dermal type".
BETWEEN = frozenset(forms(", ( nos not otherwise specified type variant subtype kind and or /"))
