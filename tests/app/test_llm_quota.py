"""Limits on requests to a language model: admission, refusals, cost and visitors."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from standin import StandIn, scribble

from dermnote.app.llm_quota.metering import SPACE_PER_HOUR as SPACE_LIMIT
from dermnote.app.llm_quota.metering import UNKNOWN, estimate_requests, read_allowance, visitor_of
from dermnote.app.llm_quota.quota import DAY, Allowance, AllowanceError, in_words
from dermnote.app.loaded_models import Models
from dermnote.app.page import build_page
from dermnote.app.service import AppService
from dermnote.errors import DermNoteError, NotesError
from dermnote.llm.llm_errors import Usage, WriterError
from dermnote.llm.prices import FREE, Estimate, ImageTokens, Price
from dermnote.metadata import LesionMetadata
from dermnote.notes.strategies import STRATEGIES
from dermnote.notes.writing import NoteWriter
from tests.app.conftest import new_writer
from tests.servers.llm_server import LlmServer

PRICE = Price(1.0, 1.0)  # a dollar for a million tokens either way
MELANOMA = LesionMetadata(label="melanoma")
LOCAL, REMOTE = "http://127.0.0.1:8000/v1", "https://somewhere.example/v1"


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0 * DAY

    def __call__(self) -> float:
        return self.now


class SlowPrice(Price):
    """Takes a moment to compute."""

    def cost(self, usage: Usage, *, batch: bool = False) -> float:
        time.sleep(0.01)
        return super().cost(usage, batch=batch)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def dollars(amount: float) -> Estimate:
    """A request that costs at most that much, and a third of it once."""
    worst = Usage(round(amount * 1e6), 0, 2)
    return Estimate(worst, Usage(round(amount * 1e6 / 3), 0, 1), worst)


def use(allowance: Allowance, amount: float, used: Usage | None = None, visitor: str = "one") -> None:
    """Send one request that may cost `amount` and takes `used`."""
    reply = type("Reply", (), {"usage": used or Usage(), "text": ""})()
    with allowance.admit(visitor, [dollars(amount)]) as admission:
        admission.send(lambda _: reply)


def test_each_visitor_has_a_number_of_requests_in_any_hour(clock: Clock) -> None:
    allowance = Allowance(per_hour=2, now=clock)
    use(allowance, 0)
    clock.now += 600
    use(allowance, 0)
    refused = r"limit of 2 requests an hour .*Nothing was sent.*Try again in 50 minutes"
    with pytest.raises(AllowanceError, match=refused):
        allowance.admit("one", [dollars(0)])
    use(allowance, 0, visitor="other")
    clock.now += 3000 - 1
    with pytest.raises(AllowanceError, match="in a minute"):
        allowance.admit("one", [dollars(0)])
    clock.now += 1
    use(allowance, 0)
    with pytest.raises(AllowanceError, match="in 10 minutes"):
        allowance.admit("one", [dollars(0)])


def test_note_of_two_requests_is_admitted_whole_or_not_at_all(clock: Clock) -> None:
    allowance = Allowance(per_hour=3, now=clock)
    with allowance.admit("one", [dollars(0)] * 2):
        pass  # nothing was sent: both are released
    use(allowance, 0)
    use(allowance, 0)
    with pytest.raises(AllowanceError, match="Try again in 60 minutes"):
        allowance.admit("one", [dollars(0)] * 2)
    use(allowance, 0)  # one was left
    with pytest.raises(AllowanceError, match=r"takes 4 requests.*raise DERMNOTE_LLM_PER_HOUR"):
        allowance.admit("other", [dollars(0)] * 4)


def test_daily_limit_counts_real_usage_not_the_reservation(clock: Clock) -> None:
    allowance = Allowance(max_usd=1.0, price=PRICE, now=clock)
    for _ in range(4):
        use(allowance, 0.4, Usage(200_000, 0, 1))
    clock.now += DAY - 7200
    with pytest.raises(AllowanceError, match=r"in a day is used up. Nothing was sent. Try again in 2 hours"):
        allowance.admit("one", [dollars(0.4)])
    clock.now += 7200
    use(allowance, 0.9, Usage(1, 0, 1))


def test_requests_under_way_are_reserved_and_settle_with_their_own_day(clock: Clock) -> None:
    allowance = Allowance(max_usd=1.0, price=PRICE, now=clock)
    reply = type("Reply", (), {"usage": Usage(800_000, 0, 1), "text": ""})()
    with allowance.admit("one", [dollars(0.8)]) as admission:
        with pytest.raises(AllowanceError, match=r"reserved for notes under way.*Try again in a minute"):
            allowance.admit("other", [dollars(0.8)])
        clock.now += DAY
        admission.send(lambda _: reply)
    use(allowance, 1.0, Usage(1, 0, 1))  # yesterday's cost does not count today


def test_note_beyond_the_limit_of_a_day_is_refused_for_good(clock: Clock) -> None:
    allowance = Allowance(per_hour=1, max_usd=0.1, price=PRICE, now=clock)
    with pytest.raises(AllowanceError, match="raise DERMNOTE_LLM_MAX_USD"):
        allowance.admit("one", [dollars(0.2)])
    use(allowance, 0.1)  # the refused one did not count for the visitor


def test_concurrent_requests_cannot_exceed_the_limit_together(clock: Clock) -> None:
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


@pytest.mark.parametrize(("seconds", "words"), [(0, "in a minute"), (61, "in 2 minutes"), (5401, "in 2 hours")])
def test_waiting_time_is_rounded_up(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


# With the real client.


def limited(llm: LlmServer, clock: Clock, per_hour: int | None = None, max_usd: float | None = None) -> AppService:
    writer = new_writer(llm, timeout=1.5, max_retries=1)
    return AppService(StandIn(), writer, Allowance(per_hour, max_usd, PRICE, clock))  # type: ignore[arg-type]


def spent(service: AppService) -> float:
    return service.allowance._budget.spent


def write(service: AppService, strategy: str = "p3", record: LesionMetadata = MELANOMA) -> str:
    return service.write_note(scribble(1), "cropped", record, strategy, demographics=False).text


def test_beyond_the_limit_nothing_is_sent_and_the_template_still_works(llm: LlmServer, clock: Clock) -> None:
    service = limited(llm, clock, per_hour=2)
    assert write(service, "mix")
    for strategy in ("p3", "m+p1", "mix"):
        with pytest.raises(AllowanceError, match="template"):
            write(service, strategy)
    assert len(llm.chats) == 2 and "melanoma" in write(service, "m")
    clock.now += 3600
    assert write(service) and len(llm.chats) == 3


def test_cost_is_what_the_server_counts_repairs_included(llm: LlmServer, clock: Clock) -> None:
    service = limited(llm, clock, max_usd=1.0)
    llm.script(["wrong schema", None])
    write(service)
    first = spent(service)
    write(service)
    assert len(llm.chats) == 3 and 0 < spent(service) - first < first < 2.5 * (spent(service) - first)


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["dropped", {"name": "slow", "seconds": 10}], ids=str)
def test_lost_answers_count_with_their_highest_cost(llm: LlmServer, clock: Clock, answer: object) -> None:
    service = limited(llm, clock, max_usd=1.0)
    [most] = estimate_requests(STRATEGIES["p3"], "some-model", MELANOMA, False, PRICE.picture)
    llm.always(answer)  # type: ignore[arg-type]
    with pytest.raises(WriterError):
        write(service)
    assert len(llm.chats) == 2 and spent(service) == pytest.approx(2 * PRICE.cost(most.once))


def test_lost_answer_is_not_requested_again_beyond_the_limit(llm: LlmServer, clock: Clock) -> None:
    [most] = estimate_requests(STRATEGIES["p3"], "some-model", MELANOMA, False, PRICE.picture)
    service = limited(llm, clock, max_usd=PRICE.cost(most.worst) * 1.01)  # the request itself takes all of it
    llm.always("dropped")
    with pytest.raises(WriterError):
        write(service)
    assert len(llm.chats) == 1


def test_refused_key_costs_nothing_and_unsent_requests_are_released(llm: LlmServer, clock: Clock) -> None:
    service = limited(llm, clock, per_hour=3, max_usd=1.0)
    llm.always("401")
    with pytest.raises(WriterError):
        write(service, "mix")
    assert len(llm.chats) == 1 and spent(service) == 0
    llm.always(None)
    for _ in range(2):
        with pytest.raises(NotesError, match="holds no diagnosis"):
            write(service, "mix", LesionMetadata(age=3))
    assert write(service, "mix")  # two of three were left


def test_reservation_covers_what_the_server_counts(llm: LlmServer, clock: Clock) -> None:
    for strategy in ("m+p1", "m+p2", "p3", "mix"):
        service = limited(llm, clock, max_usd=1.0)
        write(service, strategy)
        requests = estimate_requests(STRATEGIES[strategy], "some-model", MELANOMA, False, PRICE.picture)
        assert 0 < spent(service) <= sum(PRICE.cost(each.worst) for each in requests)


def test_all_loaded_models_share_one_allowance() -> None:
    models = Models(StandIn(), load=lambda _: StandIn(), allowance=Allowance(per_hour=1))  # type: ignore[arg-type]
    assert models[models.add("org/other")].allowance is models.first.allowance


# Visitors.


@pytest.mark.parametrize(
    ("host", "forwarded", "behind_proxy", "visitor"),
    [
        ("10.16.3.80", "8.8.4.4", True, "8.8.4.4"),
        ("10.16.3.80", "1.1.1.1, 8.8.4.4", True, "8.8.4.4"),  # the left one may be invented
        ("10.16.3.80", "8.8.4.4, 10.16.9.9", True, "8.8.4.4"),  # a second proxy of the same network
        ("10.16.3.80", "nonsense", True, "10.16.3.80"),
        ("10.16.3.80", "", True, "10.16.3.80"),
        ("192.168.1.7", "8.8.4.4", False, "192.168.1.7"),  # without a proxy anybody could write that
        ("2a00:1450:4001:81b::200e", "", False, "2a00:1450:4001:81b::/64"),
        ("2a00:1450:4001:81b:ffff::1", "", False, "2a00:1450:4001:81b::/64"),
        ("::ffff:8.8.4.4", "", False, "8.8.4.4"),
        ("", "", False, UNKNOWN),
    ],
)
def test_visitor_is_the_address_that_cannot_be_invented(
    host: str, forwarded: str, behind_proxy: bool, visitor: str
) -> None:
    assert visitor_of(host, {"x-forwarded-for": forwarded}, behind_proxy=behind_proxy) == visitor


@pytest.mark.slow
def test_visitors_of_a_served_page_are_counted_separately(
    llm: LlmServer, lesion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPACE_ID", "org/space")
    for name, value in (("OPENAI_BASE_URL", llm.url), ("OPENAI_API_KEY", "sk-x"), ("DERMNOTE_LLM_PER_HOUR", "1")):
        monkeypatch.setenv(name, value)
    page = build_page(StandIn(), read_allowance(os.environ))  # type: ignore[arg-type]
    _, url, _ = page.queue().launch(prevent_thread_lock=True, quiet=True, server_port=None)
    try:
        one, other = (
            Client(url, verbose=False, analytics_enabled=False, headers={"x-forwarded-for": f"1.2.3.4, {address}"})
            for address in ("8.8.4.4", "8.8.8.8")
        )
        call = {"picture": handle_file(lesion), "strategy": "p3", "api_name": "/write_note"}
        assert one.predict(**call)["strategy"] == "p3"
        with pytest.raises(AppError, match="Try again in 60 minutes"):
            one.predict(**call)
        call = {"picture": handle_file(lesion), "strategies": ["p3"], "api_name": "/compare"}
        [found] = one.predict(**call)  # in a thread of its own
        assert found["text"] is None and "Try again" in found["error"]
        assert other.predict(**call)[0]["text"]
        assert len(llm.chats) == 2
    finally:
        page.close()


# The owner's settings.


def house_model(url: str = LOCAL) -> NoteWriter:
    return NoteWriter("house-model", base_url=url, api_key="sk-x")


def test_default_limit_on_a_space_and_none_elsewhere() -> None:
    own, space = read_allowance({}, house_model()), read_allowance({"SPACE_ID": "org/space"}, house_model())
    for _ in range(SPACE_LIMIT):
        use(own, 0), use(space, 0)
    use(own, 1e9, Usage(10**9, 0, 1))
    with pytest.raises(AllowanceError, match=f"limit of {SPACE_LIMIT}"):
        use(space, 0)


def test_settings_are_applied() -> None:
    allowance = read_allowance({"SPACE_ID": "org/space", "DERMNOTE_LLM_PER_HOUR": " 1 "}, house_model())
    use(allowance, 0)
    with pytest.raises(AllowanceError, match="limit of 1 requests"):
        use(allowance, 0)
    known = NoteWriter("gpt-4o-mini", base_url=REMOTE, api_key="sk-x")
    allowance = read_allowance({"DERMNOTE_LLM_MAX_USD": "0.15"}, known)
    use(allowance, 0.5, Usage(900_000, 0, 1))  # at 15 cents per million tokens
    with pytest.raises(AllowanceError, match="used up"):
        use(allowance, 0.5)


def test_limit_in_usd_needs_a_price_unless_the_server_is_local(tmp_path: Path) -> None:
    refused = r"price of house-model is unknown.*DERMNOTE_LLM_PRICES.*leave"
    with pytest.raises(DermNoteError, match=refused) as error:
        read_allowance({"DERMNOTE_LLM_MAX_USD": "1"}, house_model(REMOTE))
    assert "\n" not in str(error.value)
    assert read_allowance({"DERMNOTE_LLM_MAX_USD": "1"}, house_model()).price == FREE
    prices = tmp_path / "prices.yaml"
    prices.write_text("models: {house-model: {input: 1, output: 2}}")
    settings = {"DERMNOTE_LLM_MAX_USD": "1", "DERMNOTE_LLM_PRICES": str(prices)}
    assert read_allowance(settings, house_model(REMOTE)).price == Price(1.0, 2.0, 0.5, ImageTokens())
