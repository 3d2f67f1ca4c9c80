"""Notes whose class is the model's guess."""

from __future__ import annotations

import pytest

from dermnote.metadata import LesionMetadata
from dermnote.notes.template import predicted_note, say_predicted


@pytest.mark.parametrize(("probability", "told"), [(0.9999, ">99%"), (1.0, ">99%"), (0.62, "62%"), (0.002, "<1%")])
def test_a_guess_is_told_with_its_probability_and_never_as_certain(probability: float, told: str) -> None:
    note = predicted_note("melanoma", "malignant", probability, LesionMetadata())
    assert f"not confirmed: melanoma (malignant), probability {told}." in note.text
    assert "100%" not in note.text and "never a diagnosis" in note.text
    again = say_predicted(note, "melanoma", "malignant", probability)
    assert again.text.count(f"probability {told}.") == 2
    assert again.audit is not None and again.audit["label_from"] == "model" and again.audit["confirmed"] is False
