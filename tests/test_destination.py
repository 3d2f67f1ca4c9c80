"""What the form says before anything is sent: where picture and record go, or that no language model is set up."""

from __future__ import annotations

import pytest
from standin import StandIn, scribble

from dermnote.app.endpoints import Endpoints
from dermnote.app.llm_quota.destination import can_ask, destination, press_words
from dermnote.app.service import Answers
from dermnote.llm.llm_errors import NoKeyError
from dermnote.notes.strategies import STRATEGIES
from dermnote.notes.writing import NoteWriter

KEY = "sk-the-owners-own-key"
URL = "http://127.0.0.1:8000/v1"
ASKED = [name for name, strategy in STRATEGIES.items() if strategy.needs_model]


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> NoteWriter:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "DERMNOTE_LLM"):
        monkeypatch.delenv(name, raising=False)
    return NoteWriter()


def test_what_goes_where_is_said_before_it_is_sent() -> None:
    writer = NoteWriter("some-model", base_url=URL, api_key=KEY)
    told = destination("m+p1", writer, "dermoscopy", demographics=False)
    assert "the picture, cropped to the lesion and the diagnosis, subtype, malignancy and description above" in told
    assert f"<strong>{writer.host}</strong> (model some-model). Age, sex and place stay here." in told
    assert "stay here" not in destination("m+p2", writer, "clinical", demographics=True)
    assert "Sends the whole picture and" in destination("m+p2", writer, "clinical", demographics=True)
    alone = destination("p3", writer, "clinical", demographics=True)
    assert "Sends the whole picture alone" in alone and "only to check the note afterwards" in alone
    assert "in two requests" in destination("mix", writer, "cropped", demographics=False)
    assert "Nothing is sent" in destination("m", writer, "cropped", demographics=False)
    for strategy in ASKED:
        assert (
            can_ask(strategy, writer) and press_words(strategy, writer) == f"Send to {writer.host} and write the note"
        )
    assert press_words("m", writer) == "Write the note" and KEY not in told


def test_a_model_named_in_markup_is_escaped() -> None:
    writer = NoteWriter("<img src=x>", base_url=URL)
    assert "<img" not in destination("p3", writer, "cropped", demographics=False)


def test_where_no_endpoint_is_set_up_it_is_said_and_the_button_is_off(unset: NoteWriter) -> None:
    for strategy in ASKED:
        said = destination(strategy, unset, "dermoscopy", demographics=False)
        assert "No language model is set up here: start the app with OPENAI_API_KEY" in said
        assert not can_ask(strategy, unset) and press_words(strategy, unset) == "Write the note"
        with pytest.raises(NoKeyError, match="OPENAI_BASE_URL"):
            Endpoints(Answers(StandIn(), unset)).write_note(scribble(5), strategy=strategy, label="melanoma")
    assert can_ask("m", unset)
