"""State of the Compare tab while several handlers change it at once: the last update of the page is right."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest
from standin import P3Held, StandIn, scribble

from dermnote.app.compare.compare_tab import CompareTab
from dermnote.app.compare.comparison import LLM_STRATEGIES, ComparisonState
from dermnote.app.loaded_models import FIRST, Models
from dermnote.errors import ImageError
from tests.app.conftest import new_writer
from tests.servers.llm_server import LlmServer

FIELDS = ("melanoma", "", "malignant", "", "61", "female", "")
OTHER_AGE = ("melanoma", "", "malignant", "", "62", "female", "")
INVALID = (*FIELDS[:4], "old", "", "")
OTHER = ("melanocytic nevus", "", "benign", "", "30", "male", "")


@pytest.fixture
def held(llm: LlmServer) -> Iterator[P3Held]:
    with P3Held() as held:
        llm.rule = held
        yield held


@pytest.fixture
def tab(llm: LlmServer, held: P3Held) -> CompareTab:
    with gr.Blocks():
        return CompareTab(Models(StandIn(), new_writer(llm, timeout=30)), gr.State(FIRST))  # type: ignore[arg-type]


@pytest.fixture
def state() -> ComparisonState:
    return ComparisonState()


def press(tab: CompareTab, state: ComparisonState, fields: tuple[str, ...] = FIELDS) -> Iterator[Any]:
    return tab._compare(FIRST, state, scribble(1), "dermoscopy", *fields)


def run_until_only_p3_is_missing(updates: Iterator[Any], state: ComparisonState) -> None:
    for _ in updates:
        if state.comparison.waiting == {"p3"}:
            return


def text_of(values: tuple[Any, ...]) -> str:
    return " ".join(each for each in values if isinstance(each, str))


def test_another_image_ends_the_run_and_drops_its_notes(tab: CompareTab, held: P3Held, state: ComparisonState) -> None:
    updates = press(tab, state)
    run_until_only_p3_is_missing(updates, state)
    assert {"m", "m+p1", "m+p2", "mix"} == set(state.comparison.notes)
    reset = tab._reset(FIRST, state, scribble(2), "clinical", *OTHER)[:-1]
    assert "Sends nothing of its own" in text_of(reset) and "melanocytic nevus" in text_of(reset)
    held.let_go.set()
    *_, last = updates
    assert text_of(last) == text_of(reset) and set(state.comparison.notes) == {"m"}
    assert not state.comparison.stopped and state.comparison.modality == "clinical"


def test_stopped_run_keeps_its_notes_and_another_may_begin(
    tab: CompareTab, held: P3Held, state: ComparisonState
) -> None:
    first = press(tab, state)
    run_until_only_p3_is_missing(first, state)
    assert "Stopped." in text_of(tab._stop(state)) and "mix" in state.comparison.notes
    second = press(tab, state)
    next(second)  # before the first run has polled again
    held.let_go.set()
    *_, last_of_first = first
    assert "Waiting for the answer" in text_of(last_of_first)  # of the second run
    *_, last = second
    assert set(state.comparison.notes) == {"m", *LLM_STRATEGIES} and "Stopped." not in text_of(last)


def test_second_press_sends_nothing(tab: CompareTab, held: P3Held, llm: LlmServer, state: ComparisonState) -> None:
    first = press(tab, state)
    next(first)
    assert len(list(press(tab, state))) == 1
    held.let_go.set()
    list(first)
    assert len(llm.chats) == 3


def test_fields_changed_during_a_run_are_shown_at_its_end(
    tab: CompareTab, held: P3Held, state: ComparisonState
) -> None:
    updates = press(tab, state)
    run_until_only_p3_is_missing(updates, state)
    tab._fill(FIRST, state, *OTHER_AGE)
    held.let_go.set()
    *_, last = updates
    assert state.comparison.record.age == 62 and "were requested: those notes were written" in text_of(last)
    tab._fill(FIRST, state, *INVALID)
    assert "not a number of years" in state.error and "p3" in state.comparison.notes
    assert "not a number" not in text_of(tab._fill(FIRST, state, *OTHER_AGE))


def test_without_an_image_or_with_invalid_fields_nothing_is_sent(
    tab: CompareTab, llm: LlmServer, state: ComparisonState
) -> None:
    [shown] = tab._compare(FIRST, state, None, "dermoscopy", *FIELDS)
    assert "There is no picture yet." in text_of(shown) and "Stopped" not in text_of(shown)
    [shown] = press(tab, state, fields=INVALID)
    assert "not a number of years" in text_of(shown) and not llm.requests
    *values, image = tab._reset(FIRST, state, ImageError("That is not a picture."), "dermoscopy", *FIELDS)
    assert "That is not a picture." in text_of(tuple(values)) and image is None


def test_run_ends_when_the_visitor_leaves(tab: CompareTab, state: ComparisonState) -> None:
    updates = press(tab, state)
    next(updates)
    updates.close()  # type: ignore[attr-defined]
    assert not state.comparison.waiting and state.begin("dermoscopy") is not None


def test_case_is_copied_with_its_fields_and_without_a_refused_image(tab: CompareTab, state: ComparisonState) -> None:
    image = scribble(3)
    values = tab._copy_case(FIRST, state, image, "clinical", *OTHER)
    assert values[:9] == (image, "clinical", *OTHER) and len(values) == len(tab.case) + len(tab.shown)
    assert state.comparison.record.label == "melanocytic nevus" and "m" in state.comparison.notes
    assert tab._copy_case(FIRST, state, ImageError("No."), "clinical", *OTHER)[0] is None and not state.error


def test_every_visitor_has_a_state_of_its_own(state: ComparisonState) -> None:
    state.begin("clinical")
    other = copy.deepcopy(state)
    assert other is not state and not other.comparison.waiting and other.begin("clinical") is not None
