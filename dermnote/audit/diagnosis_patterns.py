"""The words that give a diagnosis away, as one regular expression a group.

Beside the names in `dermnote.taxonomy` and `dermnote.vocabularies.lexicon` these are: words for how dangerous a
lesion is, words that single out a group of classes (a "melanocytic proliferation" is a nevus or a melanoma), and the
codes public data sets write for a class.

Left standing on purpose, because they say what is seen: colours, borders, network, dots, globules, streaks, vessels,
"vascular" before anything but a growth, keratin, scale and crust, "follicular" openings, a "halo", a "nodule" and an
"ulcer". Advice (biopsy, follow-up) stays as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from dermnote.taxonomy import EIGHT
from dermnote.vocabularies.lexicon.diagnoses import CAPITAL_NAMES, NAMES
from dermnote.vocabularies.lexicon.subtypes import KINDS

DANGER = (
    r"benign(?:ly|ity)?",
    r"malignan(?:t|tly|cy|cies)",
    r"maligna",
    r"cancer(?:s|ous)?",
    r"(?:adeno)?carcinoma(?:s|ta|tous)?",
    r"sarcoma(?:s|ta)?",
    r"lymphoma(?:s|ta)?",
    r"harmless",
    r"innocuous",
    r"indeterminate",
    r"suspicio(?:us|usly|n|ns)",  # the other pole of "benign" where notes are asked for one of the two
    r"invasive(?:ly)?",
    r"in[\s-]situ",
    r"metasta(?:tic|sis|ses|sised|sized)",
)
GROUPS = (
    r"melanocyt(?:e|es|ic|oma|omas)",
    r"melanom(?:a|as|ata|atous)",
    r"(?:a|hypo)?melanotic",
    r"ink[\s-]?spot",
    r"(?:clear[\s-]cell\s)?acanthom(?:a|as)",
    r"n(?:a)?ev(?:us|i|uses|oid|ic|omelanocytic|ocellular|ocytic)",
    r"dysplas(?:tic|ia)",
    r"spitz(?:oid)?",
    r"reed",
    r"superficial[\s-]spreading",
    r"lentig(?:o|os|ines|inous)",
    r"keratinocyt(?:e|es|ic)",
    r"squamous(?:[\s-]cells?)?",
    r"basal[\s-]cells?",
    r"basaloid",
    r"actinic(?:ally)?",
    r"(?<!-)keratos(?:is|es)",
    r"(?:inverted[\s-])?kerato(?:acanthoma|acanthomas)",
    r"bowen(?:oid|['’]?s)?(?:[\s-]disease)?",
    r"intra-?epidermal",
    r"seborrh?o?eic(?:[\s-]warts?)?",
    r"lichen[\s-]planus(?:[\s-]like)?",
    r"lichenoid",
    r"fibrous",
    r"fibro-?\s?histiocyt(?:ic|oma|omas)",
    r"(?:dermato)?fibrom(?:a|as|ata)",
    r"histiocytom(?:a|as)",
    r"(?:h(?:a)?em|lymph)?angiom(?:a|as|ata|atous)",
    r"angiokeratom(?:a|as|ata)",
    r"granulom(?:a|as|ata)",
    r"vascular[\s-](?:lesion|growth|malformation|anomal|neoplasm|proliferation|tumou?r|n(?:a)?ev)(?:s|us|i|y|ies)?",
    r"adnexal",
)
# How archives name a group: "Malignant adnexal epithelial proliferations - Follicular", "Flat melanotic pigmentations".
ARCHIVE_GROUPS = (
    r"(?:(?:benign|malignant|indeterminate|flat|soft[\s-]tissue|adnexal|epithelial|epidermal|dermal|melanocytic|melanotic"
    r"|keratinocytic|vascular|fibrous|fibro-?histiocytic|mast[\s-]cell)[\s,/-]+)+"
    r"(?:proliferation|neoplasm|pigmentation|tumou?r)s?"
    r"(?:\s*[-–:]\s*(?:follicular|sebaceous|apocrine(?:\sor\seccrine)?|eccrine|fibro-?histiocytic|vascular|other))?",
)
NEVUS_KINDS = (
    r"(?:(?:compound|junctional|intradermal|dermal|congenital|acquired|common|banal|blue|clark(?:['’]?s)?|spitz|reed|dysplastic"
    r"|atypical|halo|acral|combined|recurrent|persistent|benign|melanocytic)(?:[\s-]type)?[\s,/-]+(?:or\s|and\s)?)+"
    r"n(?:a)?ev(?:us|i|uses)",
)
# Nouns of a class with what an archive appends: "Nevus, NOS, Junctional", "Hemangioma, Hobnail".
QUALIFIED = (
    r"(?:n(?:a)?evus|melanoma|carcinoma|h(?:a)?emangioma)(?:\s?[,-]\s?(?:nos|compound|junctional|dermal|congenital|acral"
    r"|combined|recurrent|or|persistent|reed|spitz|blue|hobnail|invasive|metastasis|in\ssitu)\b(?:\sor\spersistent)?)+",
    r"solar[\s,/(]+(?:or\s)?actinic\)?[\s-]keratos(?:is|es)",
)
# A subtype is often an adjective and the class: "nodular basal cell carcinoma". The adjective alone is a finding.
KIND = (
    r"(?:(?:micro)?nodular|superficial|infiltrati(?:ve|ng)|sclerosing|morph(?:o?eic|eaform|oeaform)|h(?:a)?emosiderotic"
    r"|cellular|aneurysmal|hypertrophic|atrophic|cherry|senile|spider|hobnail|targetoid|thrombosed|reticulated|clonal|irritated"
    r"|inflamed|verrucous|acantholytic|desmoplastic|acral|mucosal|(?:non[\s-]?)?pigmented"
    r"|(?:well|moderately|poorly)[\s-]differentiated)"
)
KIND_BEFORE = (
    r"(?:basal|squamous|melanom|(?:dermato)?fibrom|fibrous|actinic|solar|seborrh|keratos[ie]s|keratoacanth|(?:h(?:a)?em)?angiom"
    r"|angiokerat|lentigo)"
)
CODES = (
    r"AKIEC|ACK|AK|BCC|BKL|BEK|SEK|SK|DF|MEL|NEV|NV|SCC(?:KA|IS)?|KA|VASC|LPLK|SSM|LMM?|ALM|PG",  # capitals only
)


def inflected(phrase: str) -> str:
    """A pattern for a phrase in any spacing, hyphenation and number ("keratoses", "squamous-cell carcinomas")."""
    words = re.findall(r"[^\W_]+(?:['’][^\W_]+)?", phrase.lower())
    return r"[\s\-/_,]+".join([re.escape(word).replace("'", "['’]?") for word in words[:-1]] + [_plural(words[-1])])


def _plural(word: str) -> str:
    stem = re.escape(word).replace("'", "['’]?")
    for ending, endings in (("is", "(?:is|es)"), ("us", "(?:us|i|uses)"), ("a", "a(?:s|ta)?"), ("y", "(?:y|ies)")):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return stem[: -len(ending)] + endings
    return stem + "(?:s|es)?"


def any_of(patterns: Iterable[str]) -> str:
    """One alternation of whole words; "non" and "pre" before a word belong to it."""
    return rf"(?<![^\W_])(?:(?:non|pre)[\s-]?)?(?:{'|'.join(patterns)})(?![^\W_])"


def class_names() -> list[str]:
    """Every class name and alias of the taxonomy, and what reports call them and their subtypes, longest first."""
    names = {name for each in EIGHT for name in (each.name, *each.words)}
    names.update(name for each in NAMES.values() for name in each)
    names.update(name for kind in KINDS for name in (*kind.names, kind.value))
    return sorted(names, key=lambda name: (-len(name), name))


def codes() -> list[str]:
    """Patterns of the abbreviations that count in capitals alone: in small letters they are words or units."""
    return [*CODES, *(f"{name}s?" for names in CAPITAL_NAMES.values() for name in names)]
