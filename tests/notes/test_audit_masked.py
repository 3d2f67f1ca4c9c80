"""What the masking takes out and what the audit reads are the same: a masked note claims no diagnosis any more."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dermnote.audit.masking import mask_diagnosis
from dermnote.notes import audit
from dermnote.vocabularies.lexicon import diagnosis_names, load_lexicon

CONCLUSIONS = yaml.safe_load(Path(__file__).with_name("audit_conclusions.yaml").read_text(encoding="utf-8"))
REPORTED = {
    *diagnosis_names(),
    *(name for names in load_lexicon("diagnoses")["capital_names"].values() for name in names),
}
GIVING_AWAY = {"diagnosis", "subtype", "malignancy"}
OUTSIDE_THE_EIGHT = {"viral wart", "psoriasis", "trichoepithelioma"}  # masking knows the eight classes


@pytest.mark.parametrize("text", [text for texts in CONCLUSIONS.values() for text in texts])
def test_a_masked_note_claims_no_diagnosis(text: str) -> None:
    for spelled in (text, text.upper()):
        left = [claim.value for claim in audit(mask_diagnosis(spelled), None) if claim.kind in GIVING_AWAY]
        assert set(left) <= OUTSIDE_THE_EIGHT


def test_every_name_the_audit_knows_goes_whole() -> None:
    for name in REPORTED:
        assert mask_diagnosis(f"Seen is {name}, here.") == "Seen is [masked], here.", name


def test_abbreviations_that_are_words_or_units_stay_in_small_letters() -> None:
    assert mask_diagnosis("It is 5 mm wide, mel-coloured; nv, lm.") == "It is 5 mm wide, mel-coloured; nv, lm."
