"""Subtypes of the eight classes, by every name and adjective that reports use for them.

An axis holds subtypes that exclude each other: a basal cell carcinoma is nodular or superficial, and may be pigmented
besides. Spellings (naevus, haemangioma, plural, hyphens, capitals) need no entry: words are compared by one form.
"""

from __future__ import annotations

from dataclasses import dataclass

from dermnote.taxonomy import (
    ACTINIC_KERATOSIS,
    BASAL_CELL_CARCINOMA,
    BENIGN_KERATOSIS,
    DERMATOFIBROMA,
    MELANOCYTIC_NEVUS,
    MELANOMA,
    SQUAMOUS_CELL_CARCINOMA,
    VASCULAR_LESION,
)

BCC, SCC, AK = BASAL_CELL_CARCINOMA.name, SQUAMOUS_CELL_CARCINOMA.name, ACTINIC_KERATOSIS.name
MEL, NV, BKL = MELANOMA.name, MELANOCYTIC_NEVUS.name, BENIGN_KERATOSIS.name
DF, VASC = DERMATOFIBROMA.name, VASCULAR_LESION.name


@dataclass(frozen=True)
class Kind:
    """A subtype of a class.

    Attributes:
        classname: The class it belongs to.
        axis: Kinds of one class and axis exclude each other; empty: it goes with any other.
        value: Its canonical words, as a claim gives them.
        names: Phrases that say class and subtype at once.
        adjectives: Words that say the subtype beside any name of the class ("nodular", "NOS, dermal").
    """

    classname: str
    axis: str
    value: str
    names: tuple[str, ...] = ()
    adjectives: tuple[str, ...] = ()


KINDS: tuple[Kind, ...] = (
    Kind(BCC, "growth", "nodular basal cell carcinoma", ("nodular bcc",), ("nodular", "solid", "nodulocystic")),
    Kind(
        BCC, "growth", "superficial basal cell carcinoma", ("superficial bcc", "sbcc"), ("superficial", "multicentric")
    ),
    Kind(
        BCC,
        "growth",
        "infiltrative basal cell carcinoma",
        (),
        (
            "infiltrative",
            "infiltrating",
            "morpheaform",
            "morphoeic",
            "morpheic",
            "sclerosing",
            "micronodular",
            "aggressive",
        ),
    ),
    Kind(BCC, "pigment", "pigmented basal cell carcinoma", ("pbcc",), ("pigmented",)),
    Kind(BCC, "pigment", "non-pigmented basal cell carcinoma", (), ("non-pigmented", "nonpigmented")),
    Kind(BCC, "growth", "fibroepithelioma of Pinkus", ("fibroepithelioma of Pinkus", "fibroepithelioma")),
    Kind(
        MEL, "depth", "melanoma in situ", ("melanoma in situ", "in situ melanoma", "MIS"), ("in situ", "intraepidermal")
    ),
    Kind(MEL, "depth", "invasive melanoma", ("melanoma invasive",), ("invasive",)),
    Kind(MEL, "depth", "metastatic melanoma", ("melanoma metastasis", "metastasis of melanoma"), ("metastatic",)),
    Kind(MEL, "growth", "superficial spreading melanoma", ("SSM",), ("superficial spreading",)),
    Kind(MEL, "growth", "nodular melanoma", (), ("nodular",)),
    Kind(
        MEL,
        "growth",
        "lentigo maligna",
        ("lentigo maligna", "lentigo maligna melanoma", "LMM", "Hutchinson's melanotic freckle", "melanotic freckle"),
        ("lentigo maligna",),
    ),
    Kind(MEL, "growth", "acral lentiginous melanoma", ("acral melanoma",), ("acral lentiginous", "acral", "subungual")),
    Kind(MEL, "growth", "desmoplastic melanoma", (), ("desmoplastic",)),
    Kind(MEL, "pigment", "amelanotic melanoma", (), ("amelanotic", "hypomelanotic")),
    Kind(NV, "depth", "junctional nevus", (), ("junctional",)),
    Kind(NV, "depth", "compound nevus", (), ("compound",)),
    Kind(NV, "depth", "dermal nevus", (), ("dermal", "intradermal", "papillomatous", "Miescher", "Unna")),
    Kind(NV, "sort", "congenital nevus", ("CMN",), ("congenital",)),
    Kind(NV, "sort", "blue nevus", (), ("blue", "cellular blue")),
    Kind(NV, "sort", "Spitz nevus", ("Spitz tumour", "spitzoid tumour"), ("Spitz", "spitzoid")),
    Kind(NV, "sort", "Reed nevus", ("pigmented spindle cell nevus", "spindle cell nevus"), ("Reed",)),
    Kind(NV, "sort", "dysplastic nevus", ("DN",), ("dysplastic", "atypical", "Clark")),
    Kind(NV, "sort", "halo nevus", ("Sutton nevus",), ("halo",)),
    Kind(NV, "place", "acral nevus", (), ("acral", "palmar", "plantar")),
    Kind(NV, "", "combined nevus", (), ("combined",)),
    Kind(NV, "", "recurrent nevus", (), ("recurrent", "persistent")),
    Kind(NV, "", "nevus spilus", ("nevus spilus", "speckled lentiginous nevus")),
    Kind(
        BKL,
        "sort",
        "seborrheic keratosis",
        (
            "seborrheic keratosis",
            "keratosis seborrheica",
            "seborrheic wart",
            "basal cell papilloma",
            "verruca seborrheica",
            "SK",
        ),
        ("seborrheic",),
    ),
    Kind(
        BKL,
        "sort",
        "seborrheic keratosis",
        ("dermatosis papulosa nigra", "stucco keratosis", "SEK", "seb k", "seb kerat", "melanoacanthoma"),
    ),
    Kind(
        BKL,
        "sort",
        "solar lentigo",
        (
            "solar lentigo",
            "senile lentigo",
            "actinic lentigo",
            "lentigo solaris",
            "lentigo senilis",
            "age spot",
            "liver spot",
        ),
    ),
    Kind(BKL, "sort", "ink-spot lentigo", ("ink spot lentigo", "reticulated black solar lentigo")),
    Kind(BKL, "sort", "lentigo simplex", ("lentigo simplex", "simple lentigo")),
    Kind(
        BKL,
        "sort",
        "lichen planus-like keratosis",
        (
            *("lichen planus like keratosis", "lichen planus keratosis", "LPLK", "lichenoid keratosis"),
            *("benign lichenoid keratosis", "BLK", "lichenoid benign keratosis", "regressing seborrheic keratosis"),
        ),
        ("lichenoid",),
    ),
    Kind(DF, "sort", "hemosiderotic dermatofibroma", (), ("hemosiderotic",)),
    Kind(DF, "sort", "aneurysmal dermatofibroma", (), ("aneurysmal",)),
    Kind(DF, "sort", "cellular dermatofibroma", (), ("cellular",)),
    Kind(
        VASC,
        "sort",
        "hemangioma",
        ("hemangioma", "capillary hemangioma", "senile angioma", "cherry angioma", "cherry hemangioma"),
    ),
    Kind(
        VASC,
        "sort",
        "hemangioma",
        ("Campbell de Morgan spot", "senile hemangioma", "infantile hemangioma", "ruby spot"),
    ),
    Kind(VASC, "sort", "hobnail hemangioma", ("targetoid hemosiderotic hemangioma", "hobnail hemangioma")),
    Kind(VASC, "sort", "angiokeratoma", ("angiokeratoma", "angio keratoma")),
    Kind(
        VASC,
        "sort",
        "pyogenic granuloma",
        ("pyogenic granuloma", "lobular capillary hemangioma", "granuloma pyogenicum"),
    ),
    Kind(
        VASC,
        "sort",
        "vascular malformation",
        ("vascular malformation", "venous malformation", "capillary malformation"),
    ),
    Kind(VASC, "sort", "venous lake", ("venous lake",)),
    Kind(VASC, "sort", "spider angioma", ("spider angioma", "spider nevus", "nevus araneus")),
    Kind(VASC, "sort", "lymphangioma", ("lymphangioma",)),
    Kind(
        VASC,
        "sort",
        "hemorrhage",
        ("subcorneal hemorrhage", "subungual hematoma", "talon noir", "intracorneal hemorrhage"),
    ),
    Kind(SCC, "sort", "keratoacanthoma", ("keratoacanthoma", "kerato acanthoma", "KA")),
    Kind(SCC, "sort", "invasive squamous cell carcinoma", (), ("invasive", "infiltrating")),
    Kind(SCC, "grade", "well-differentiated squamous cell carcinoma", (), ("well differentiated",)),
    Kind(SCC, "grade", "moderately differentiated squamous cell carcinoma", (), ("moderately differentiated",)),
    Kind(
        SCC, "grade", "poorly differentiated squamous cell carcinoma", (), ("poorly differentiated", "undifferentiated")
    ),
    Kind(
        AK,
        "sort",
        "squamous cell carcinoma in situ",
        (
            *(
                "squamous cell carcinoma in situ",
                "SCC in situ",
                "in situ squamous cell carcinoma",
                "in situ SCC",
                "SCCIS",
            ),
            *(
                "intraepidermal squamous cell carcinoma",
                "intra epidermal squamous cell carcinoma",
                "intraepidermal SCC",
            ),
            *(
                "intraepidermal carcinoma",
                "intra epidermal carcinoma",
                "intraepithelial carcinoma",
                "IEC",
                "carcinoma in situ",
            ),
            *("Bowen's disease", "morbus Bowen", "Bowen's carcinoma", "Bowen disease", "bowenoid carcinoma", "Bowen's"),
        ),
    ),
    Kind(AK, "sort", "actinic keratosis", ("solar keratosis", "solar or actinic keratosis", "senile keratosis")),
    Kind(AK, "sort", "actinic cheilitis", ("actinic cheilitis",)),
    Kind(AK, "", "pigmented actinic keratosis", (), ("pigmented",)),
    Kind(AK, "", "hypertrophic actinic keratosis", (), ("hypertrophic", "hyperkeratotic")),
)
