"""Endpoints without HTTP: plain data, and one line for each invalid input."""

from __future__ import annotations

import pytest
from standin import scribble

from dermnote.app.endpoints import Endpoints
from dermnote.app.service import MAX_FIELD, MAX_HITS, MAX_TEXT, AppService, need_age
from dermnote.errors import ImageError, IndexQueryError, NotesError
from dermnote.llm.llm_errors import NoKeyError
from dermnote.notes.strategies import STRATEGIES


@pytest.fixture
def endpoints(service: AppService) -> Endpoints:
    return Endpoints(service)


def test_results_are_plain_data(endpoints: Endpoints) -> None:
    image = scribble(4)
    classes = endpoints.classify(image)
    assert len(classes) == 8 and set(classes[0]) == {"label", "probability", "class_id", "malignancy", "description"}
    assert endpoints.classify(image, "clinical")[0]["label"] != classes[0]["label"]
    for hits in (endpoints.find_notes(image, k=3), endpoints.find_similar(image, k=3), endpoints.find_images("a", k=3)):
        assert len(hits) == 3 and hits[0]["thumbnail"].startswith("data:image/jpeg;base64,")
        assert set(hits[0]) == {"case_id", "score", "label", "note", "source", "thumbnail"}
    assert {each["label"] for each in endpoints.find_images("a spot", 9, label=["melanoma"])} == {"melanoma"}
    explained = endpoints.explain(image, label="melanoma")
    assert set(explained) == {"of", "score", "heat", "overlay", "far"} and explained["of"] == "melanoma"
    assert sum(map(sum, explained["heat"])) == pytest.approx(explained["score"], abs=1e-3)
    note = endpoints.write_note(label="basal cell carcinoma")
    assert set(note) == {"text", "strategy", "model", "findings", "audit"} and "basal cell carcinoma" in note["text"]


@pytest.mark.parametrize("k", [0, MAX_HITS + 1, float("nan"), None])
def test_k_out_of_range_is_refused(endpoints: Endpoints, k: float) -> None:
    with pytest.raises(IndexQueryError, match="k must"):
        endpoints.find_images("a dark spot", k)


def test_missing_empty_and_long_inputs_are_refused(endpoints: Endpoints) -> None:
    with pytest.raises(IndexQueryError, match="no text"):
        endpoints.find_images("  ")
    with pytest.raises(IndexQueryError, match="limit"):
        endpoints.find_images("a" * (MAX_TEXT + 1))
    with pytest.raises(NotesError, match="limit"):
        endpoints.write_note(description="a" * (MAX_FIELD + 1))
    with pytest.raises(ImageError, match="modality"):
        endpoints.classify(scribble(5), "x-ray")
    with pytest.raises(ImageError, match="no picture"):
        endpoints.classify(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("typed", "years"), [("", None), (None, None), ("54", 54.0), (" 7.5 ", 7.5), (0, 0.0)])
def test_empty_age_is_unknown(typed: str | None, years: float | None) -> None:
    assert need_age(typed) == years


@pytest.mark.parametrize("typed", ["old", "-1", "121", "nan"])
def test_impossible_age_is_refused(typed: str) -> None:
    with pytest.raises(NotesError, match="age"):
        need_age(typed)


def test_without_a_language_model_its_strategies_say_how_to_set_one_up(endpoints: Endpoints) -> None:
    names = [name for name, strategy in STRATEGIES.items() if strategy.needs_model]
    for name in names:
        with pytest.raises(NoKeyError, match="OPENAI_BASE_URL"):
            endpoints.write_note(scribble(5), strategy=name, label="melanoma")
    template, *others = endpoints.compare(scribble(1), label="melanoma", strategies=["m", *names])
    assert "melanoma" in template["text"]
    assert all("No language model is set up here" in each["error"] for each in others)


def test_mcp_clients_get_one_line_for_each_argument_of_compare() -> None:
    arguments = (Endpoints.compare.__doc__ or "").split("Args:")[1].split("Returns:")[0]
    assert "\n" + " " * 16 not in arguments and "nothing leaves" in (Endpoints.compare.__doc__ or "")
