"""Words for how dangerous a lesion is."""

from __future__ import annotations

from dermnote.taxonomy import BENIGN, MALIGNANT, PRECANCEROUS

# Word: malignancy, and whether it only raises the question.
DANGER: dict[str, tuple[str, bool]] = {
    **dict.fromkeys(("benign", "benignity", "harmless", "innocuous", "noncancerous", "nonmalignant"), (BENIGN, False)),
    **dict.fromkeys(("non cancerous", "non malignant", "non neoplastic"), (BENIGN, False)),
    **dict.fromkeys(("malignant", "malignancy", "cancerous", "cancer", "skin cancer", "carcinoma"), (MALIGNANT, False)),
    **dict.fromkeys(("keratinocyte cancer", "keratinocyte carcinoma", "cutaneous malignancy"), (MALIGNANT, False)),
    **dict.fromkeys(("non melanoma skin cancer", "nonmelanoma skin cancer"), (MALIGNANT, False)),
    **dict.fromkeys(
        ("pre cancerous", "precancerous", "pre malignant", "premalignant", "precancer"), (PRECANCEROUS, False)
    ),
    **dict.fromkeys(("pre cancer", "precancerosis", "indeterminate", "potentially malignant"), (PRECANCEROUS, False)),
    **dict.fromkeys(("suspicious", "suspicious of malignancy", "suspicious for malignancy"), (MALIGNANT, True)),
    **dict.fromkeys(
        ("suspected malignancy", "concerning for malignancy", "suspicion of malignancy"), (MALIGNANT, True)
    ),
    **dict.fromkeys(
        ("suspicion for malignancy", "suspect of malignancy", "worrisome", "suspicious for cancer"), (MALIGNANT, True)
    ),
    **dict.fromkeys(("malignant potential", "malignant transformation", "risk of malignancy"), (MALIGNANT, True)),
    **dict.fromkeys(("risk of cancer", "cancer risk", "malignancy risk"), (MALIGNANT, True)),
}
# How tables write a malignancy.
RECORDED = {
    "benign": BENIGN,
    "malignant": MALIGNANT,
    "cancer": MALIGNANT,
    "indeterminate": PRECANCEROUS,
    "pre-cancerous": PRECANCEROUS,
    "precancerous": PRECANCEROUS,
    "pre-malignant": PRECANCEROUS,
    "premalignant": PRECANCEROUS,
}
