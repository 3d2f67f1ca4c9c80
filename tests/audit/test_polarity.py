"""Scope of denial and hedging: the polarity of what a text names."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dermnote.notes import audit

CASES = yaml.safe_load(Path(__file__).with_name("polarity.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in CASES.items() for text in texts])
def test_polarity_of_what_a_text_names(kind: str, text: str) -> None:
    expected = {value: polarity for polarity, values in CASES[kind][text].items() for value in values}
    assert {claim.value: claim.polarity for claim in audit(text, None) if claim.kind == kind} == expected


def test_surrounding_skin_is_not_the_lesion() -> None:
    text = "A red papule on light brown, sun-damaged skin. The surrounding skin is white with a normal network."
    assert {claim.value for claim in audit(text, None)} == {"red"}
