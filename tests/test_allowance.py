"""Limits on asking a language model: what is admitted, what is refused and until when, and what was used."""

from __future__ import annotations

import base64
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from standin import StandIn, as_jpeg, scribble

import app
from dermnote.app.llm_quota.limits import ON_A_SPACE, read_allowance
from dermnote.app.llm_quota.metering import expected
from dermnote.app.llm_quota.quota import DAY, Allowance
from dermnote.app.llm_quota.refusal import AllowanceError, in_words
from dermnote.app.llm_quota.visitor import UNKNOWN, visitor_of
from dermnote.app.service import Answers
from dermnote.errors import DermNoteError, NotesError
from dermnote.llm.llm_errors import Usage, WriterError
from dermnote.llm.prices import FREE, Estimate, PictureTokens, Price
from dermnote.metadata import LesionMetadata
from dermnote.notes.strategies import STRATEGIES
from dermnote.notes.writing import NoteWriter
from tests.servers.llm_server import LlmServer

PRICE = Price(1.0, 1.0)  # a dollar for a million tokens either way
MELANOMA = LesionMetadata(label="melanoma")
URL = "http://127.0.0.1:8000/v1"
AFAR = "https://somewhere.example/v1"


class Clock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.now = 100.0 * DAY

    def __call__(self) -> float:
        return self.now


class SlowPrice(Price):
    """Takes a moment to reckon."""

    def cost(self, usage: Usage, *, batch: bool = False) -> float:
        time.sleep(0.01)
        return super().cost(usage, batch=batch)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def dollars(amount: float) -> Estimate:
    """A request that takes so much at its worst, and a third of that once."""
    worst = Usage(round(amount * 1e6), 0, 2)
    return Estimate(worst, Usage(round(amount * 1e6 / 3), 0, 1), worst)


def use(allowance: Allowance, amount: float, used: Usage, visitor: str = "one") -> None:
    """Sends one request that may take `amount` and takes `used`."""
    with allowance.admit(visitor, [dollars(amount)]) as admission:
        admission.send(lambda _: answer(used))


def answer(used: Usage) -> object:
    return type("Reply", (), {"usage": used, "text": ""})()


def test_a_visitor_has_so_many_requests_in_any_hour_and_others_have_their_own(clock: Clock) -> None:
    allowance = Allowance(per_hour=2, now=clock)
    use(allowance, 0, Usage())
    clock.now += 600
    use(allowance, 0, Usage())
    with pytest.raises(
        AllowanceError, match=r"limit of 2 requests an hour .*Nothing was sent.*Try again in 50 minutes"
    ):
        allowance.admit("one", [dollars(0)])
    use(allowance, 0, Usage(), visitor="other")
    clock.now += 3000 - 1
    with pytest.raises(AllowanceError, match="in a minute"):
        allowance.admit("one", [dollars(0)])
    clock.now += 1
    use(allowance, 0, Usage())
    with pytest.raises(AllowanceError, match="in 10 minutes"):
        allowance.admit("one", [dollars(0)])


def test_a_note_of_two_requests_is_admitted_whole_or_not_at_all(clock: Clock) -> None:
    allowance = Allowance(per_hour=3, now=clock)
    with allowance.admit("one", [dollars(0)] * 2):
        pass  # nothing was sent: both go back
    use(allowance, 0, Usage())
    use(allowance, 0, Usage())
    with pytest.raises(AllowanceError, match="Try again in 60 minutes"):
        allowance.admit("one", [dollars(0)] * 2)
    use(allowance, 0, Usage())  # one more there was
    with pytest.raises(AllowanceError, match=r"takes 4 requests.*raise DERMNOTE_LLM_PER_HOUR"):
        allowance.admit("other", [dollars(0)] * 4)


def test_what_a_day_may_cost_is_used_up_by_what_was_used_not_by_what_might_have_been(clock: Clock) -> None:
    allowance = Allowance(max_usd=1.0, price=PRICE, now=clock)
    for _ in range(4):
        use(allowance, 0.4, Usage(200_000, 0, 1))
    clock.now += DAY - 7200
    with pytest.raises(AllowanceError, match=r"in a day is used up. Nothing was sent. Try again in 2 hours"):
        allowance.admit("one", [dollars(0.4)])
    clock.now += 7200
    use(allowance, 0.9, Usage(1, 0, 1))


def test_what_is_under_way_is_set_aside_and_settles_with_its_own_day(clock: Clock) -> None:
    allowance = Allowance(max_usd=1.0, price=PRICE, now=clock)
    with allowance.admit("one", [dollars(0.8)]) as admission:
        with pytest.raises(AllowanceError, match=r"set aside for notes under way.*Try again in a minute"):
            allowance.admit("other", [dollars(0.8)])
        clock.now += DAY
        admission.send(lambda _: answer(Usage(800_000, 0, 1)))
    use(allowance, 1.0, Usage(1, 0, 1))  # yesterday's cost is none of today


def test_a_note_dearer_than_a_day_is_not_put_off_for_ever(clock: Clock) -> None:
    allowance = Allowance(per_hour=1, max_usd=0.1, price=PRICE, now=clock)
    with pytest.raises(AllowanceError, match="raise DERMNOTE_LLM_MAX_USD"):
        allowance.admit("one", [dollars(0.2)])
    use(allowance, 0.1, Usage())  # the refused one cost the visitor nothing


def test_two_at_once_cannot_both_pass_a_nearly_spent_limit(clock: Clock) -> None:
    """Reckoning takes its time here, so that the others come in between unless they are kept out."""
    allowance, together = Allowance(max_usd=1.0, price=SlowPrice(1.0, 1.0), now=clock), threading.Barrier(8)

    def press(visitor: int) -> bool:
        together.wait()
        try:
            allowance.admit(f"visitor {visitor}", [dollars(0.3)])
        except AllowanceError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(press, range(8))) == 3
    assert allowance.admit("after them", [dollars(0.1)])


@pytest.mark.parametrize(("seconds", "said"), [(0, "in a minute"), (61, "in 2 minutes"), (5401, "in 2 hours")])
def test_waiting_is_told_in_words_rounded_up(seconds: float, said: str) -> None:
    assert in_words(seconds) == said


# With the real client.


def writer_of(llm: LlmServer) -> NoteWriter:
    return NoteWriter("some-model", base_url=llm.url, api_key="sk-x", timeout=1.5, max_retries=1)


def limited(llm: LlmServer, clock: Clock, per_hour: int | None = None, max_usd: float | None = None) -> Answers:
    return Answers(StandIn(), writer_of(llm), Allowance(per_hour, max_usd, PRICE, clock))


def spent(answers: Answers) -> float:
    return answers.allowance._budget.spent


def ask(answers: Answers, strategy: str = "p3") -> str:
    return answers.note(scribble(1), "cropped", MELANOMA, strategy, demographics=False).text


def test_beyond_the_limit_nothing_is_sent_and_the_template_still_works(llm: LlmServer, clock: Clock) -> None:
    answers = limited(llm, clock, per_hour=2)
    assert ask(answers, "mix")
    for strategy in ("p3", "m+p1", "mix"):
        with pytest.raises(AllowanceError, match="template"):
            ask(answers, strategy)
    assert len(llm.chats) == 2 and "melanoma" in ask(answers, "m")
    clock.now += 3600
    assert ask(answers) and len(llm.chats) == 3


def test_a_note_costs_what_the_server_counts_repairs_included(llm: LlmServer, clock: Clock) -> None:
    answers = limited(llm, clock, max_usd=1.0)
    llm.script(["wrong schema", None])
    ask(answers)
    first = spent(answers)
    ask(answers)
    assert len(llm.chats) == 3 and 0 < spent(answers) - first < first < 2.5 * (spent(answers) - first)


@pytest.mark.parametrize(("fault", "requests"), [("dropped", 2), ({"name": "slow", "seconds": 10}, 2)], ids=str)
def test_answers_that_were_lost_count_with_the_most_they_may_have_cost(
    llm: LlmServer, clock: Clock, fault: object, requests: int
) -> None:
    answers = limited(llm, clock, max_usd=1.0)
    [most] = expected(STRATEGIES["p3"], "some-model", MELANOMA, False, PRICE.picture)
    llm.always(fault)  # type: ignore[arg-type]
    with pytest.raises(WriterError):
        ask(answers)
    assert len(llm.chats) == requests and spent(answers) == pytest.approx(requests * PRICE.cost(most.once))


def test_a_lost_answer_is_not_asked_for_again_beyond_the_limit(llm: LlmServer, clock: Clock) -> None:
    [most] = expected(STRATEGIES["p3"], "some-model", MELANOMA, False, PRICE.picture)
    answers = limited(llm, clock, max_usd=PRICE.cost(most.worst) * 1.01)  # the request itself takes all of it
    llm.always("dropped")
    with pytest.raises(WriterError):
        ask(answers)
    assert len(llm.chats) == 1


def test_a_refused_key_costs_nothing_and_what_was_not_sent_goes_back(llm: LlmServer, clock: Clock) -> None:
    answers = limited(llm, clock, per_hour=3, max_usd=1.0)
    llm.always("401")
    with pytest.raises(WriterError):
        ask(answers, "mix")
    assert len(llm.chats) == 1 and spent(answers) == 0
    llm.always(None)
    for _ in range(2):
        with pytest.raises(NotesError, match="holds no diagnosis"):
            answers.note(scribble(1), "cropped", LesionMetadata(age=3), "mix", demographics=False)
    assert ask(answers, "mix")  # two of three were left


def test_what_is_set_aside_covers_what_the_server_counts(llm: LlmServer, clock: Clock) -> None:
    for strategy in ("m+p1", "m+p2", "p3", "mix"):
        answers = limited(llm, clock, max_usd=1.0)
        ask(answers, strategy)
        requests = expected(STRATEGIES[strategy], "some-model", MELANOMA, False, PRICE.picture)
        assert 0 < spent(answers) <= sum(PRICE.cost(each.worst) for each in requests)


def test_other_models_of_the_page_share_one_allowance(llm: LlmServer) -> None:
    from dermnote.app.loaded_models import Models

    models = Models(StandIn(), load=lambda _: StandIn(), allowance=Allowance(per_hour=1))
    assert models[models.add("org/other")].answers.allowance is models.first.answers.allowance


# Who asks.


@pytest.mark.parametrize(
    ("host", "forwarded", "behind_proxy", "who"),
    [
        ("10.16.3.80", "8.8.4.4", True, "8.8.4.4"),
        ("10.16.3.80", "1.1.1.1, 8.8.4.4", True, "8.8.4.4"),  # the left one can be made up
        ("10.16.3.80", "8.8.4.4, 10.16.9.9", True, "8.8.4.4"),  # a second proxy of the house
        ("10.16.3.80", "nonsense", True, "10.16.3.80"),
        ("10.16.3.80", "", True, "10.16.3.80"),
        ("192.168.1.7", "8.8.4.4", False, "192.168.1.7"),  # no proxy: anybody could write that
        ("2a00:1450:4001:81b::200e", "", False, "2a00:1450:4001:81b::/64"),
        ("2a00:1450:4001:81b:ffff::1", "", False, "2a00:1450:4001:81b::/64"),
        ("::ffff:8.8.4.4", "", False, "8.8.4.4"),
        ("", "", False, UNKNOWN),
    ],
)
def test_a_visitor_is_the_address_that_cannot_be_made_up(
    host: str, forwarded: str, behind_proxy: bool, who: str
) -> None:
    assert visitor_of(host, {"x-forwarded-for": forwarded}, behind_proxy=behind_proxy) == who


def test_visitors_of_a_served_page_are_told_apart(llm: LlmServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "org/space")
    for name, value in (("OPENAI_BASE_URL", llm.url), ("OPENAI_API_KEY", "sk-x"), ("DERMNOTE_LLM_PER_HOUR", "1")):
        monkeypatch.setenv(name, value)
    demo = app.build_demo(StandIn())
    _, url, _ = demo.queue().launch(prevent_thread_lock=True, quiet=True, server_port=None)
    try:
        one, other = (
            Client(url, verbose=False, analytics_enabled=False, headers={"x-forwarded-for": f"1.2.3.4, {address}"})
            for address in ("8.8.4.4", "8.8.8.8")
        )
        picture = {"url": as_data_url()}
        assert one.predict(picture=picture, strategy="p3", api_name="/write_note")["strategy"] == "p3"
        with pytest.raises(AppError) as met:
            one.predict(picture=picture, strategy="p3", api_name="/write_note")
        assert "Try again in 60 minutes" in str(met.value) and "\n" not in str(met.value)
        [found] = one.predict(picture=picture, strategies=["p3"], api_name="/compare")  # in a thread of its own
        assert found["text"] is None and "Try again" in found["error"]
        assert other.predict(picture=picture, strategies=["p3"], api_name="/compare")[0]["text"]
        assert len(llm.chats) == 2
    finally:
        demo.close()


def as_data_url() -> str:
    return "data:image/jpeg;base64," + base64.b64encode(as_jpeg(scribble(1))).decode()


# What the owner sets.


def set_up(url: str = URL) -> NoteWriter:
    return NoteWriter("house-model", base_url=url, api_key="sk-x")


def test_on_ones_own_machine_there_is_no_limit_and_on_a_space_there_is_one() -> None:
    at_home, on_space = read_allowance({}, set_up()), read_allowance({"SPACE_ID": "org/space"}, set_up())
    for _ in range(ON_A_SPACE):
        use(at_home, 0, Usage()), use(on_space, 0, Usage())
    use(at_home, 1e9, Usage(10**9, 0, 1))
    with pytest.raises(AllowanceError, match=f"limit of {ON_A_SPACE}"):
        use(on_space, 0, Usage())


def test_the_owners_numbers_are_kept() -> None:
    allowance = read_allowance({"SPACE_ID": "org/space", "DERMNOTE_LLM_PER_HOUR": " 1 "}, set_up())
    use(allowance, 0, Usage())
    with pytest.raises(AllowanceError, match="limit of 1 requests"):
        use(allowance, 0, Usage())
    known = NoteWriter("gpt-4o-mini", base_url=AFAR, api_key="sk-x")
    allowance = read_allowance({"DERMNOTE_LLM_MAX_USD": "0.15"}, known)
    use(allowance, 0.5, Usage(900_000, 0, 1))  # of a dollar a million it is 15 cents
    with pytest.raises(AllowanceError, match="used up"):
        use(allowance, 0.5, Usage())


def test_a_sum_without_a_price_is_refused_unless_the_server_is_local_or_a_file_names_it(tmp_path: Path) -> None:
    with pytest.raises(DermNoteError, match=r"price of house-model is unknown.*DERMNOTE_LLM_PRICES.*leave") as met:
        read_allowance({"DERMNOTE_LLM_MAX_USD": "1"}, set_up(AFAR))
    assert "\n" not in str(met.value)
    assert read_allowance({"DERMNOTE_LLM_MAX_USD": "1"}, set_up(URL)).price == FREE
    prices = tmp_path / "prices.yaml"
    prices.write_text("models: {house-model: {input: 1, output: 2}}")
    settings = {"DERMNOTE_LLM_MAX_USD": "1", "DERMNOTE_LLM_PRICES": str(prices)}
    assert read_allowance(settings, set_up(AFAR)).price == Price(1.0, 2.0, 0.5, PictureTokens())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("DERMNOTE_LLM_PER_HOUR", value) for value in ("0", "-1", "many", "1.5", "9" * 30, "²")),
        *(("DERMNOTE_LLM_MAX_USD", value) for value in ("0", "-1", "nan", "inf", "$5")),
        ("DERMNOTE_LLM_PRICES", "/nowhere/prices.yaml"),
    ],
)
def test_a_value_that_cannot_be_meant_is_one_line_and_status_2(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    assert app.main() == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1 and (name in said or value in said)
