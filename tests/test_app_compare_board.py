"""What the Compare tab shows while several things happen to it at once: what is shown last is true."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest
from standin import StandIn, scribble

from dermnote.app.compare.board import Board
from dermnote.app.compare.compare_tab import CompareTab
from dermnote.app.compare.comparison import ASKED
from dermnote.app.loaded_models import FIRST, Models
from dermnote.errors import PictureError
from dermnote.notes.writing import NoteWriter
from tests.held import P3Held
from tests.servers.llm_server import LlmServer

FIELDS = ("melanoma", "", "malignant", "", "61", "female", "")
OTHER_AGE = ("melanoma", "", "malignant", "", "62", "female", "")
OTHER = ("melanocytic nevus", "", "benign", "", "30", "male", "")


@pytest.fixture
def held(llm: LlmServer) -> Iterator[P3Held]:
    with P3Held() as held:
        llm.rule = held
        yield held


@pytest.fixture
def tab(llm: LlmServer, held: P3Held) -> CompareTab:
    writer = NoteWriter("some-model", base_url=llm.url, api_key="sk-key", timeout=30, max_retries=0)
    with gr.Blocks():
        return CompareTab(Models(StandIn(), writer), gr.State(FIRST))  # type: ignore[arg-type]


def ask(tab: CompareTab, board: Board, picture: Any = None, fields: tuple[str, ...] = FIELDS) -> Iterator[Any]:
    return tab._ask(FIRST, board, picture or scribble(1), "dermoscopy", *fields)


def until_p3_is_all_that_is_missing(stream: Iterator[Any], board: Board) -> None:
    for _ in stream:
        if board.comparison.waiting == {"p3"}:
            return


def words(shown: tuple[Any, ...]) -> str:
    return " ".join(each for each in shown if isinstance(each, str))


def test_another_picture_ends_the_asking_and_what_is_shown_last_knows_nothing_of_it(
    tab: CompareTab, held: P3Held, llm: LlmServer
) -> None:
    board = Board()
    stream = ask(tab, board)
    until_p3_is_all_that_is_missing(stream, board)
    assert {"m", "m+p1", "m+p2", "mix"} == set(board.comparison.outcomes)
    renewed = tab._renew(FIRST, board, scribble(2), "clinical", *OTHER)[:-1]
    assert "Sends nothing of its own" in words(renewed) and "melanocytic nevus" in words(renewed)
    held.let_go.set()
    *_, last = stream
    assert words(last) == words(renewed) and set(board.comparison.outcomes) == {"m"}
    assert not board.comparison.stopped and board.comparison.modality == "clinical"


def test_who_stops_keeps_what_came_and_may_ask_again_at_once(tab: CompareTab, held: P3Held, llm: LlmServer) -> None:
    board = Board()
    first = ask(tab, board)
    until_p3_is_all_that_is_missing(first, board)
    assert "Stopped." in words(tab._stop(board)) and "mix" in board.comparison.outcomes
    second = ask(tab, board)
    next(second)  # the first one has not looked up yet
    held.let_go.set()
    *_, last_of_first = first
    assert "Waiting for the answer" in words(last_of_first)  # of the second: that is how things stand
    *_, last = second
    assert set(board.comparison.outcomes) == {"m", *ASKED} and "Stopped." not in words(last)


def test_a_press_while_an_asking_goes_on_sends_nothing(tab: CompareTab, held: P3Held, llm: LlmServer) -> None:
    board = Board()
    first = ask(tab, board)
    next(first)
    assert len(list(ask(tab, board))) == 1
    held.let_go.set()
    list(first)
    assert len(llm.chats) == 3


def test_what_is_filled_in_meanwhile_stands_at_the_end(tab: CompareTab, held: P3Held, llm: LlmServer) -> None:
    board = Board()
    stream = ask(tab, board)
    until_p3_is_all_that_is_missing(stream, board)
    tab._fill(FIRST, board, *OTHER_AGE)
    held.let_go.set()
    *_, last = stream
    assert board.comparison.record.age == 62 and "were asked for: those notes were written" in words(last)
    tab._fill(FIRST, board, *FIELDS[:4], "old", "", "")
    assert "not a number of years" in board.fault and "p3" in board.comparison.outcomes
    assert "not a number" not in words(tab._fill(FIRST, board, *OTHER_AGE))


def test_nothing_is_begun_without_a_picture_or_with_fields_that_cannot_be_read(tab: CompareTab, llm: LlmServer) -> None:
    board = Board()
    [shown] = tab._ask(FIRST, board, None, "dermoscopy", *FIELDS)
    assert "There is no picture yet." in words(shown) and "Stopped" not in words(shown)
    [shown] = ask(tab, board, fields=(*FIELDS[:4], "old", "", ""))
    assert "not a number of years" in words(shown) and not llm.requests
    *shown, picture = tab._renew(FIRST, board, PictureError("That is not a picture."), "dermoscopy", *FIELDS)
    assert "That is not a picture." in words(tuple(shown)) and picture is None


def test_a_visitor_who_goes_ends_the_asking(tab: CompareTab, llm: LlmServer) -> None:
    board = Board()
    stream = ask(tab, board)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert not board.comparison.waiting and board.begin("dermoscopy") is not None


def test_a_case_of_another_tab_comes_with_its_fields_and_without_a_refused_picture(tab: CompareTab) -> None:
    board, picture = Board(), scribble(3)
    taken = tab._take_over(FIRST, board, picture, "clinical", *OTHER)
    assert taken[:9] == (picture, "clinical", *OTHER) and len(taken) == len(tab.case) + len(tab.shown)
    assert board.comparison.record.label == "melanocytic nevus" and "m" in board.comparison.outcomes
    assert tab._take_over(FIRST, board, PictureError("No."), "clinical", *OTHER)[0] is None and not board.fault


def test_every_visitor_has_a_board_of_his_own() -> None:
    first = Board()
    first.begin("clinical")
    other = copy.deepcopy(first)
    assert other is not first and not other.comparison.waiting and other.begin("clinical") is not None
