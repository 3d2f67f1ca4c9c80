"""How far negation and hedging reach: phrases, what they name, and how the note stands to it."""

from __future__ import annotations

import pytest

from dermnote.notes import audit

NETWORK, STREAKS, DOTS, GLOBULES = "pigment network", "branched streaks", "dots", "globules"
ASSERTED, DENIED, HEDGED = "asserted", "denied", "hedged"
MEL, NV, BCC, SCC = "melanoma", "melanocytic nevus", "basal cell carcinoma", "squamous cell carcinoma"

STRUCTURES: tuple[tuple[str, dict[str, str]], ...] = (
    ("No network, streaks, dots or globules.", dict.fromkeys((NETWORK, STREAKS, DOTS, GLOBULES), DENIED)),
    ("no pigment network, no dots and no globules", dict.fromkeys((NETWORK, DOTS, GLOBULES), DENIED)),
    ("Neither a network nor dots are seen.", dict.fromkeys((NETWORK, DOTS), DENIED)),
    ("Network, globules, and streaks are absent.", dict.fromkeys((NETWORK, GLOBULES, STREAKS), DENIED)),
    ("A network is lacking, as are globules and dots.", dict.fromkeys((NETWORK, GLOBULES, DOTS), DENIED)),
    ("Streaks are not convincingly seen, and dots cannot be made out.", dict.fromkeys((STREAKS, DOTS), DENIED)),
    ("Pigment network: none. Dots: present. Globules lacking.", {NETWORK: DENIED, DOTS: ASSERTED, GLOBULES: DENIED}),
    ("without streaks, but with dots", {STREAKS: DENIED, DOTS: ASSERTED}),
    ("No streaks are visible, and a network fills the field.", {STREAKS: DENIED, NETWORK: ASSERTED}),
    (
        "No network, but dots; streaks, globules.",
        {NETWORK: DENIED, DOTS: ASSERTED, STREAKS: ASSERTED, GLOBULES: ASSERTED},
    ),
    ("Dots are present and a network is absent.", {DOTS: ASSERTED, NETWORK: DENIED}),
    ("Not only dots but also globules are seen.", {DOTS: ASSERTED, GLOBULES: ASSERTED}),
    ("There is no change in the network; without doubt there are dots.", {NETWORK: ASSERTED, DOTS: ASSERTED}),
    ("Possible streaks; globules are questionable.", {STREAKS: HEDGED, GLOBULES: HEDGED}),
    ("Streaks cannot be excluded.", {STREAKS: HEDGED}),
    ("The lines may represent a network.", {NETWORK: HEDGED}),
    ("Dots and globules are not represented.", dict.fromkeys((DOTS, GLOBULES), DENIED)),
    ("Structures (dots, globules, network) could not be named.", dict.fromkeys((DOTS, GLOBULES, NETWORK), DENIED)),
    ("Dots, globules and streaks did not turn up.", dict.fromkeys((DOTS, GLOBULES, STREAKS), DENIED)),
    ("Streaks were looked for but not found.", {STREAKS: DENIED}),
    ("Absent: network, dots, globules.", dict.fromkeys((NETWORK, DOTS, GLOBULES), DENIED)),
    ("Not seen: network, dots. Globules are.", {NETWORK: DENIED, DOTS: DENIED, GLOBULES: ASSERTED}),
    ("Network, dots: absent.", dict.fromkeys((NETWORK, DOTS), DENIED)),
    ("The network is not regular.", {NETWORK: ASSERTED}),
    ("Dots and globules are not evenly spread.", dict.fromkeys((DOTS, GLOBULES), ASSERTED)),
    ("Dots may be imagined below.", {DOTS: HEDGED}),
    ("Network, lost in the background.", {NETWORK: ASSERTED}),
    ("Network and dots are all missing, as are globules.", dict.fromkeys((NETWORK, DOTS, GLOBULES), DENIED)),
    ("Nowhere are streaks; network: neg.", {STREAKS: DENIED, NETWORK: DENIED}),
    ("Dots. None of: network, globules.", {DOTS: ASSERTED, NETWORK: DENIED, GLOBULES: DENIED}),
    ("Not ticked: network, globules. Dots.", {NETWORK: DENIED, GLOBULES: DENIED, DOTS: ASSERTED}),
    ("no dots | globules | no network", {DOTS: DENIED, GLOBULES: ASSERTED, NETWORK: DENIED}),
)
DIAGNOSES: tuple[tuple[str, dict[str, str]], ...] = (
    ("Melanoma is less likely than a nevus.", {MEL: DENIED, NV: ASSERTED}),
    ("A nevus is more likely than melanoma.", {NV: ASSERTED, MEL: DENIED}),
    ("Melanoma cannot be entirely excluded.", {MEL: HEDGED}),
    ("Melanoma can be excluded.", {MEL: DENIED}),
    ("Neither melanoma nor a nevus can be excluded.", {MEL: HEDGED, NV: HEDGED}),
    ("An amelanotic melanoma or a nevus should be ruled out.", {MEL: HEDGED, NV: HEDGED}),
    ("Biopsy to exclude melanoma.", {MEL: HEDGED}),
    ("Differential: melanoma, nevus, BCC.", {MEL: HEDGED, NV: HEDGED, BCC: HEDGED}),
    ("It favours BCC, SCC being the chief alternative.", {BCC: ASSERTED, SCC: HEDGED}),
    ("It favours BCC, and SCC or melanoma is less likely.", {BCC: ASSERTED, SCC: DENIED, MEL: DENIED}),
    ("It favours BCC, with SCC and melanoma as alternatives.", {BCC: ASSERTED, SCC: HEDGED, MEL: HEDGED}),
    ("No features of melanoma.", {MEL: DENIED}),
    ("The absence of a network favours BCC.", {BCC: ASSERTED}),
    ("Not typical of melanoma.", {MEL: DENIED}),
    ("A nevus rather than a melanoma.", {NV: ASSERTED, MEL: DENIED}),
    ("I favour a nevus over melanoma.", {NV: ASSERTED, MEL: DENIED}),
    ("Melanoma or nevus.", {MEL: HEDGED, NV: HEDGED}),
    ("?melanoma", {MEL: HEDGED}),
    ("Melanoma?", {MEL: HEDGED}),
    ("An SCC arising in an actinic keratosis.", {SCC: ASSERTED, "actinic keratosis": HEDGED}),
    ("Diagnosis: nevus. The streaks recall melanoma.", {NV: ASSERTED, MEL: HEDGED}),
    ("It is not a typical nevus.", {NV: DENIED}),
    ("Melanoma is therefore unlikely.", {MEL: DENIED}),
    ("I cannot exclude SCC or melanoma, I'd go with BCC.", {SCC: HEDGED, MEL: HEDGED, BCC: ASSERTED}),
    ("The network favours melanoma, possibly in situ.", {MEL: ASSERTED}),
    ("It is SCC, and the lesion is considered malignant.", {SCC: ASSERTED}),
    ("It is SCC; BCC was considered.", {SCC: ASSERTED, BCC: HEDGED}),
    ("There are no ovoid nests to support BCC. Hence SCC.", {BCC: DENIED, SCC: ASSERTED}),
    ("There is a network to support a nevus.", {NV: ASSERTED}),
    ("Melanoma is unlikely without streaks.", {MEL: DENIED}),
    ("I consider BCC the most probable diagnosis.", {BCC: ASSERTED}),
    ("A lesion with streaks is most likely a melanoma.", {MEL: ASSERTED}),
    ("My first thought was melanoma. I would sign this out as a nevus.", {MEL: HEDGED, NV: ASSERTED}),
    ("A nevus crossed my mind. It most closely resembles BCC.", {NV: HEDGED, BCC: ASSERTED}),
    ("At first glance melanoma; at second glance a nevus.", {MEL: HEDGED, NV: ASSERTED}),
)


def read(text: str, kind: str) -> dict[str, str]:
    return {claim.value: claim.polarity for claim in audit(text, None) if claim.kind == kind}


@pytest.mark.parametrize(("text", "expected"), STRUCTURES)
def test_findings_are_denied_and_hedged(text: str, expected: dict[str, str]) -> None:
    assert read(text, "structure") == expected


@pytest.mark.parametrize(("text", "expected"), DIAGNOSES)
def test_diagnoses_are_denied_and_hedged(text: str, expected: dict[str, str]) -> None:
    assert read(text, "diagnosis") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A benign lesion.", {"benign": ASSERTED}),
        ("Not benign.", {"benign": DENIED}),
        ("Suspicious lesion.", {"malignant": HEDGED}),
        ("The lesion is not suspicious.", {"malignant": DENIED}),
        ("Suspicious rather than benign.", {"malignant": HEDGED, "benign": DENIED}),
        ("Malignancy cannot be ruled out.", {"malignant": HEDGED}),
        ("No malignant features.", {"malignant": DENIED}),
        ("Benign or malignant?", {"benign": HEDGED, "malignant": HEDGED}),
        ("Pre-cancerous; premalignant; indeterminate.", {"pre-cancerous": ASSERTED}),
        ("A malignant melanoma and a basal cell cancer.", {}),
        ("Malignancy: benign. Malignancy indeterminate.", {"benign": ASSERTED, "pre-cancerous": ASSERTED}),
    ],
)
def test_danger_is_read_apart_from_names_that_hold_its_words(text: str, expected: dict[str, str]) -> None:
    assert read(text, "malignancy") == expected


def test_skin_around_and_other_lesions_are_not_the_lesion() -> None:
    text = "A red papule on light brown, sun-damaged skin. The surrounding skin is white with a normal network."
    assert {claim.value for claim in audit(text, None)} == {"red"}
    assert read("A melanoma; an unrelated lentigo and a second nevus lie beside it.", "diagnosis") == {MEL: ASSERTED}


def test_brackets_end_what_they_open() -> None:
    assert read("red globules (no network) with dots", "structure") == {
        GLOBULES: ASSERTED,
        NETWORK: DENIED,
        DOTS: ASSERTED,
    }
