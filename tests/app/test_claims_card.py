"""The claims card: the whole text of the note, each claim marked by more than colour."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dermnote.app.claims_card import VERDICTS, checked_against, claims_card, mark_claims, summarise_verdicts
from dermnote.metadata import LesionMetadata
from dermnote.notes.schema import Note

TEXT = 'A "benign" <b>nevus</b> & more.'


def claim(
    kind: str = "diagnosis",
    value: str = "melanocytic nevus",
    span: tuple[int, int] = (14, 19),
    polarity: str = "asserted",
    verdict: str = "contradicted",
) -> dict[str, Any]:
    return {"kind": kind, "value": value, "span": list(span), "polarity": polarity, "verdict": verdict}


def note_with(*claims: dict[str, Any], **more: Any) -> Note:
    return Note(TEXT, "p3", "some-model", "abcd1234", audit={"claims": list(claims), **more})


def read_back(marked: str) -> str:
    """The visible text: no tags, no marks, nothing for screen readers only."""
    seen = re.sub(r'<i class="dn-verdict-mark".*?</i>&#8288;|<span class="dn-hidden">.*?</span>', "", marked)
    return unescape(re.sub(r"<[^>]*>", "", seen))


spans = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted)
claims_of_any_span = st.lists(
    st.builds(claim, span=spans, verdict=st.sampled_from([each.name for each in VERDICTS])), max_size=6
)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(text=st.text(max_size=60), found=claims_of_any_span)
def test_marking_keeps_the_text_for_any_overlap_of_claims(text: str, found: list[dict[str, Any]]) -> None:
    for each in found:
        each["span"] = [min(place, len(text)) for place in each["span"]]
    marked = mark_claims(text, found)
    assert read_back(marked) == text
    assert "<b>" not in marked and marked.count("<mark") == marked.count("</mark>")


def test_overlapping_claims_show_the_worst_verdict_and_both_names() -> None:
    inner = claim(kind="malignancy", value="benign", span=(3, 9), verdict="contradicted")
    marked = mark_claims(TEXT, [claim(span=(0, 22), verdict="supported"), inner])
    verdicts = re.findall(r'<mark class="dn-claim dn-claim-(\w+)"', marked)
    assert verdicts == ["supported", "contradicted", "supported"]
    assert "diagnosis: melanocytic nevus, supported; malignancy: benign, contradicted" in marked
    assert marked.count("(diagnosis: melanocytic nevus, supported)") == 1  # for screen readers, once, at its end


@pytest.mark.parametrize("verdict", VERDICTS, ids=lambda verdict: verdict.css)
def test_each_verdict_has_a_mark_and_a_colour(verdict: Any) -> None:
    marked = mark_claims(TEXT, [claim(verdict=verdict.name)])
    assert f">{verdict.mark}</i>" in marked and f"dn-claim-{verdict.css}" in marked
    assert len({each.mark for each in VERDICTS}) == len({each.css for each in VERDICTS}) == 4


def test_text_tooltip_list_and_record_are_escaped() -> None:
    nasty = '"><img src=x onerror="alert(1)">'
    card = claims_card(note_with(claim(value=nasty)), LesionMetadata(label=nasty, site=nasty))
    assert "<img" not in card and 'onerror="' not in card


def test_the_legend_counts_each_verdict_that_occurs() -> None:
    card = claims_card(
        note_with(claim(), claim(span=(3, 9)), claim(verdict="supported")), LesionMetadata(label="melanoma")
    )
    legend = card[card.index('class="dn-legend"') :]
    counts = dict(re.findall(r"</i>&#8288;([a-z ]+)</span> <b>(\d+)</b>", legend))
    assert counts == {"contradicted": "2", "supported": "1"}


@pytest.mark.parametrize(
    ("claims", "alarm", "rest"),
    [
        ([claim(), claim(kind="malignancy")], "2 claims contradict the record: diagnosis, malignancy.", ""),
        ([claim(), claim()], "2 claims contradict the record: diagnosis.", ""),
        ([claim(kind="border")], "1 claim contradicts the chosen findings: border.", ""),
        ([claim(verdict="supported")], "", "No claim contradicts what is recorded."),
        (
            [claim(kind="age", verdict="unsupported")],
            "",
            "No claim contradicts what is recorded. 1 claim is not backed by what is recorded: age.",
        ),
        ([], "", "No claim was found in the words of this note."),
    ],
)
def test_summary_of_the_verdicts(claims: list[dict[str, Any]], alarm: str, rest: str) -> None:
    assert summarise_verdicts(claims, "something") == (alarm, rest)


def test_without_a_record_the_card_says_that_nothing_was_checked() -> None:
    card = claims_card(note_with(claim(verdict="not checkable")), LesionMetadata())
    assert "1 claim. Nothing to check against: no record given." in card and "Checked against" not in card


def test_basis_of_the_check_in_words() -> None:
    record = LesionMetadata(label="melanoma", age=61.0, description="a note")
    assert checked_against(record, None) == "what you filled in (diagnosis melanoma, age 61)"
    assert "closed lists" in checked_against(LesionMetadata(), {"border": "sharp"})
    assert checked_against(LesionMetadata(), {"stated_class": "melanoma", "stated_malignancy": "malignant"}) == ""


def test_note_on_a_predicted_class_is_folded() -> None:
    predicted = note_with(claim(verdict="not checkable"), label_from="model")
    folded, open_ = '<div class="dn-as-written"><details>', '<div class="dn-as-written"><h3>'
    assert folded in claims_card(predicted, LesionMetadata())
    assert open_ in claims_card(predicted, LesionMetadata(label="melanoma"))
    assert open_ in claims_card(note_with(claim()), LesionMetadata())


def test_note_without_an_audit() -> None:
    assert "was not checked" in claims_card(Note(TEXT, "m"), LesionMetadata())


def test_card_contains_the_download() -> None:
    note = note_with(claim())
    card = claims_card(note, LesionMetadata(label="melanoma"), edited=True)
    data = re.search(r'data-record="([^"]*)"', card)
    assert data is not None
    assert json.loads(unescape(data[1])) == {
        "text": TEXT,
        "strategy": "p3",
        "model": "some-model",
        "prompt_version": "abcd1234",
        "edited_by_hand": True,
        "findings": None,
        "record": {"label": "melanoma"},
        "audit": note.audit,
        "caution": "Research use only, never a diagnosis.",
    }
