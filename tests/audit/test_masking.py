"""Masking of the diagnosis: what is removed, what is kept, and that the audit finds no diagnosis afterwards."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from dermnote.audit.masking import MASK, mask_diagnosis
from dermnote.metadata import LesionMetadata
from dermnote.notes import audit
from dermnote.notes.template import write_template
from dermnote.taxonomy import EIGHT
from dermnote.vocabularies.lexicon import diagnosis_names, load_lexicon
from tests.places import REAL_DATA

CONCLUSIONS = yaml.safe_load(Path(__file__).with_name("conclusions.yaml").read_text(encoding="utf-8"))
OUTSIDE_THE_EIGHT = {"viral wart", "psoriasis", "trichoepithelioma"}  # masking knows the eight classes
# Independent of the lexicon: stems that no masked text may hold.
TELLTALE = re.compile(
    r"melano(?!sis)|n(a)?ev(us|i)|(?<!per)keratos[ie]s|carcinoma|angioma|fibroma|lentig|seborr|actinic|bowen|basal.cell|squamous"
    r"|benign|malign|cancer|\bmoles?\b|granuloma|acanthoma|vascular (lesion|growth|tumou?r|prolif)|proliferation|spitz",
    re.IGNORECASE,
)
CLASS_OF_CODE = {
    **{"BCC": "basal cell carcinoma", "MEL": "melanoma", "NV": "melanocytic nevus", "AKIEC": "actinic keratosis"},
    **{"BKL": "benign keratosis", "SCCKA": "squamous cell carcinoma", "DF": "dermatofibroma"},
    "VASC": "vascular lesion",
}
FINDINGS = re.compile(r"\b(?:network|globules|dots|streaks|vessels|symmetric|brown|border)\b")


@pytest.mark.parametrize(
    "word",
    [
        *("keratoses", "nevi", "naevi", "melanomas", "carcinomas", "squamous-cell-carcinomas", "haemangiomas", "moles"),
        *("angiomata", "lentigines", "fibromas", "non-malignant", "nonmelanoma", "precancerous", "pre-cancerous"),
        *("malignancy", "cancers", "cancerous", "benignity", "suspicious", "indeterminate", "Bowen’s", "amelanotic"),
        *("melanocytic", "keratinocytic", "fibrous", "fibrohistiocytic", "keratoacanthoma-like", "NV", "SCC", "BCCs"),
    ],
)
def test_inflected_and_related_words_go(word):
    assert mask_diagnosis(f"Thought {word} here.").replace("-like", "") == f"Thought {MASK} here."


@pytest.mark.parametrize(
    "text",
    [
        "A pigmented network with dots, globules and vascular structures; the halo is red.",
        "Hyperkeratotic scale and keratin over follicular openings; no streaks.",
        "A well-defined nodule with an ulcer, haemorrhagic crust and vascular pattern.",
        "Dermal depth cannot be judged; pigment is common, the nest compound.",
        "The melting edge and a mel-coloured tan; a molecule; a cancel mark.",
    ],
)
def test_findings_stay(text):
    assert mask_diagnosis(text) == text


def test_every_name_the_audit_knows_is_removed_whole() -> None:
    capitals = [name for names in load_lexicon("diagnoses")["capital_names"].values() for name in names]
    for name in {*diagnosis_names(), *capitals}:
        for spelled in (name, name.upper(), name.replace(" ", "-"), name.replace(" ", "  ")):
            assert mask_diagnosis(f"Seen is {spelled}, here.") == "Seen is [masked], here.", spelled
    assert mask_diagnosis("It is 5 mm wide, mel-coloured; nv, lm.") == "It is 5 mm wide, mel-coloured; nv, lm."


@pytest.mark.parametrize("text", [text for texts in CONCLUSIONS.values() for text in texts])
def test_a_masked_note_claims_no_diagnosis(text: str) -> None:
    for spelled in (text, text.upper()):
        claims = audit(mask_diagnosis(spelled), None)
        left = {claim.value for claim in claims if claim.kind in ("diagnosis", "subtype", "malignancy")}
        assert left <= OUTSIDE_THE_EIGHT


def test_the_kind_of_a_class_goes_with_it_and_stays_as_a_finding():
    assert mask_diagnosis("A nodular basal cell carcinoma; a nodular area.") == f"A {MASK}; a nodular area."
    assert mask_diagnosis("A hypertrophic, pigmented actinic keratosis.") == f"A {MASK}."
    every = [each.name for each in EIGHT]
    assert mask_diagnosis("Subtype nodular basal cell carcinoma.", extra=every) == f"Subtype {MASK}."
    assert mask_diagnosis("A giant fibrous histiocytoma.", extra=[*every, "giant fibrous histiocytoma"]) == f"A {MASK}."


def test_the_cases_own_names_go_whole_and_in_parts():
    note = "A juvenile xanthogranuloma; these xanthogranulomas are of the apocrine kind."
    assert mask_diagnosis(note) == note
    extra = ["Juvenile xanthogranuloma", "Tumour, NOS, Apocrine"]
    assert mask_diagnosis(note, extra=["xanthogranuloma"]).count(MASK) == 2
    assert "apocrine" not in mask_diagnosis(note, extra=extra)
    assert mask_diagnosis("A (b) [c] + d?", extra=["", "-", "+", "(", "?"]) == "A (b) [c] + d?"


def test_runs_shrink_to_one_mark_and_masking_twice_changes_nothing_more():
    assert mask_diagnosis("An actinic keratosis (Bowen's disease), or melanoma.") == f"A {MASK}."
    assert mask_diagnosis("Vascular structures in a vascular lesion.") == f"Vascular structures in a {MASK}."
    once = mask_diagnosis("A benign lesion, diagnosed as a nevus (Spitz), suspicious for melanoma in situ.")
    assert mask_diagnosis(once) == once


@pytest.mark.real_data
def test_real_notes_hold_no_class_word_after_masking():
    path = REAL_DATA.parent / "llm_notes" / "notes.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 312
    for row in rows:
        masked = mask_diagnosis(row["note"])
        assert not TELLTALE.search(masked), masked
        for each in EIGHT:
            for name in (each.name, *each.words):
                assert not re.search(rf"\b{name}\b", masked, re.IGNORECASE), (name, masked)
        assert FINDINGS.findall(masked) == FINDINGS.findall(row["note"])


@pytest.mark.real_data
def test_masked_template_notes_of_real_records_are_all_the_same():
    """Whatever differs would tell the class: lesions of eight classes must leave one and the same text."""
    masked, classes = set(), set()
    with (REAL_DATA / "milk10k" / "metadata.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row["label"] not in CLASS_OF_CODE:
                continue
            label = CLASS_OF_CODE[row["label"]]
            metadata = LesionMetadata(label, row["diagnosis_full"], row["diagnosis_1"].lower(), row["diagnosis_2"])
            masked.add(mask_diagnosis(write_template(metadata)))
            masked.add(mask_diagnosis(write_template(replace(metadata, description=None))))  # as other sources have it
            classes.add(label)
    assert len(classes) == 8 and len(masked) == 1, masked
