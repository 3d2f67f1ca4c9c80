"""Places on the body, each with the wider places that hold it (the coarse ones are those of the ISIC archive)."""

from __future__ import annotations

from dermnote.audit.tokens import forms

HEAD, UPPER, LOWER, TRUNK = "head/neck", "upper extremity", "lower extremity", "torso"
FRONT, BACK, SIDE = "anterior torso", "posterior torso", "lateral torso"
PALMS, ORAL = "palms/soles", "oral/genital"

# Place: the wider places that hold it, and its other names.
PLACES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    HEAD: ((), ("head neck", "head and neck", "head or neck")),
    "head": ((HEAD,), ()),
    "scalp": ((HEAD, "head"), ("vertex", "occiput", "crown of the head")),
    "face": ((HEAD, "head"), ()),
    "forehead": ((HEAD, "head", "face"), ("brow", "glabella")),
    "temple": ((HEAD, "head", "face"), ("temporal region",)),
    "cheek": ((HEAD, "head", "face"), ("malar region", "zygoma")),
    "nose": (
        (HEAD, "head", "face"),
        ("nasal tip", "ala nasi", "nasal ala", "nasal bridge", "bridge of the nose", "tip of the nose"),
    ),
    "eyelid": ((HEAD, "head", "face"), ("upper eyelid", "lower eyelid", "canthus", "eyebrow", "periorbital region")),
    "chin": ((HEAD, "head", "face"), ("jaw", "jawline", "mandible")),
    "lip": ((HEAD, "head", "face", ORAL), ("upper lip", "lower lip")),
    "ear": ((HEAD, "head"), ("auricle", "helix", "antihelix", "earlobe", "pinna", "retroauricular region")),
    "neck": ((HEAD,), ("nape", "nape of the neck", "side of the neck", "back of the neck")),
    TRUNK: ((), ("trunk", "body trunk")),
    FRONT: ((TRUNK,), ("anterior trunk", "front of the trunk", "front of the torso")),
    "chest": ((TRUNK, FRONT), ("thorax", "sternum", "breastbone", "presternal region", "chest wall", "decolletage")),
    "breast": ((TRUNK, FRONT, "chest"), ("nipple", "areola")),
    "abdomen": ((TRUNK, FRONT), ("belly", "stomach", "navel", "umbilicus", "abdominal wall", "epigastrium")),
    BACK: ((TRUNK,), ("posterior trunk",)),
    "back": (
        (TRUNK, BACK),
        ("upper back", "lower back", "mid back", "scapula", "shoulder blade", "lumbar region", "interscapular region"),
    ),
    "buttock": ((TRUNK, BACK, LOWER), ("gluteal region", "natal cleft")),
    SIDE: ((TRUNK,), ("flank", "lateral trunk")),
    "axilla": ((TRUNK, SIDE, UPPER), ("armpit",)),
    "groin": ((TRUNK, LOWER, ORAL), ("inguinal region",)),
    UPPER: ((), ("upper limb", "upper extremities")),
    "shoulder": ((UPPER, TRUNK), ()),
    "arm": ((UPPER,), ("upper arm", "elbow")),
    "forearm": ((UPPER, "arm"), ("lower arm",)),
    "hand": ((UPPER,), ("back of the hand", "dorsum of the hand", "dorsal hand", "wrist", "knuckle")),
    "finger": ((UPPER, "hand"), ("thumb", "fingernail", "fingertip", "index finger", "little finger")),
    LOWER: ((), ("lower limb", "lower extremities")),
    "thigh": ((LOWER, "leg"), ()),
    "leg": ((LOWER,), ("upper leg", "knee")),
    "lower leg": ((LOWER, "leg"), ("calf", "shin", "ankle", "pretibial region")),
    "foot": ((LOWER,), ("dorsum of the foot", "instep", "back of the foot", "dorsal foot", "feet")),
    "toe": ((LOWER, "foot"), ("toenail", "big toe", "great toe", "hallux")),
    PALMS: ((), ("acral site", "acral skin", "volar skin", "palms and soles", "acral")),
    "palm": ((PALMS, UPPER, "hand"), ("palm of the hand", "palmar skin")),
    "sole": ((PALMS, LOWER, "foot"), ("sole of the foot", "plantar skin", "heel")),
    ORAL: ((), ("mucosa", "oral mucosa", "genital area", "mouth", "tongue", "genitals", "genital", "oral genital")),
    "genital area": ((ORAL,), ("vulva", "penis", "scrotum", "labia", "glans", "perianal region")),
}
# Adjectives that say a place before "skin", "lesion" and the like.
ADJECTIVES = {
    "facial": "face",
    "nasal": "nose",
    "truncal": TRUNK,
    "palmar": "palm",
    "plantar": "sole",
    "volar": PALMS,
    "abdominal": "abdomen",
    "auricular": "ear",
    "mucosal": ORAL,
    "labial": "lip",
}
ON = frozenset({"on", "of", "from", "over", "involving", "affecting", "onto"})
HEADINGS = frozenset({"site", "location", "localization", "region"})
WHOSE = frozenset(
    forms("the his her their a an patient this left right upper lower anterior posterior lateral medial dorsal")
) | frozenset(
    forms(
        "ventral mid middle central distal proximal hairy sun exposed damaged outer inner front extensor"
        " flexor bilateral dorsum aspect side part of"
    )
)
THINGS = frozenset(forms("skin lesion plaque papule nodule patch macule tumor growth mole nevus site region area type"))
# A place word with these behind it is none: "the face of", "the sole feature", "the back of the lesion".
NOT_BEFORE = frozenset(
    forms("lesion plaque nodule papule patch pigment picture image photograph ruler frame tumor macule field it")
)
# Place words that are other words too ("the sole feature", "face of"), and what may stand behind them all the same.
OTHERWISE = frozenset({"sole", "face", "back", "head"})
BEHIND = frozenset(forms("of and or in with is show which for that at near skin"))
