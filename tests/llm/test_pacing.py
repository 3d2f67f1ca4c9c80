"""Waits and retries, in virtual time."""

import asyncio
import time
from email.utils import formatdate

import pytest

from dermnote.llm.llm_errors import BusyError, ServerFaultError, WriterError
from dermnote.llm.pacing import FIRST_BACKOFF, LONGEST_BACKOFF, Pacing, backoff, retry_after, send_with_retries

PATIENCE = 600.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """Event loop whose clock jumps to the next event; `loop.time` is the clock."""

    def __init__(self) -> None:
        super().__init__()
        self._passed = 0.0
        really_select = self._selector.select

        def select(timeout=None):
            self._passed += timeout or 0.0
            return really_select(0)

        self._selector.select = select

    def time(self) -> float:
        return self._passed


def run_in_virtual_time(main):
    """Run a coroutine that waits for nothing but time."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()


def busy(seconds: float | None, kind: type[WriterError] = BusyError) -> WriterError:
    fault = kind("Busy.", retryable=True)
    fault.retry_after = seconds
    return fault


class Server:
    """Takes note of when it was asked, and does what its script says."""

    def __init__(self, *script: WriterError | None) -> None:
        self.script = list(script)
        self.asked: list[float] = []

    async def send(self) -> str:
        self.asked.append(asyncio.get_running_loop().time())
        fault = self.script.pop(0) if self.script else None
        if fault is not None:
            raise fault
        return "answer"


def ask(server: Server, max_retries: int = 4) -> str:
    async def asked() -> str:
        return await send_with_retries(server.send, Pacing(asyncio.get_running_loop().time), max_retries, PATIENCE)

    return run_in_virtual_time(asked())


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "20", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Thu, 99 Foo 2026"}, None),
        # against the server's own clock, however wrong that is
        ({"retry-after": "Mon, 01 Jan 2001 00:01:30 GMT", "date": "Mon, 01 Jan 2001 00:00:00 GMT"}, 90),
        ({"retry-after": "Mon, 01 Jan 2001 00:00:00 GMT"}, 0),
    ],
)
def test_what_a_server_asks_to_wait_is_read_in_each_form(headers, seconds):
    assert retry_after(headers) == pytest.approx(seconds)


def test_a_date_without_the_servers_clock_is_measured_against_ours():
    in_an_hour = formatdate(time.time() + 3600, usegmt=True)
    assert 3590 < (retry_after({"retry-after": in_an_hour}) or 0) <= 3601


@pytest.mark.parametrize("seconds", [0.2, 7.0, 90.0, 500.0])
def test_a_wait_that_is_asked_for_is_kept_exactly_also_beyond_the_openai_clients_two_minutes(seconds):
    server = Server(busy(seconds))
    assert ask(server) == "answer"
    assert server.asked == pytest.approx([0, seconds], abs=0.002)
    assert server.asked[1] >= seconds


@pytest.mark.parametrize("kind", [BusyError, ServerFaultError])
def test_a_server_that_asks_to_wait_longer_than_our_patience_is_not_waited_for(kind):
    server = Server(busy(PATIENCE + 1, kind))
    with pytest.raises(kind):
        ask(server)
    assert server.asked == [0]


def test_the_waits_of_one_request_are_bounded_together():
    server = Server(*(busy(250.0) for _ in range(9)))
    with pytest.raises(BusyError):
        ask(server, max_retries=8)
    assert len(server.asked) == 3
    assert server.asked[-1] <= PATIENCE


def test_retries_are_bounded_and_each_waits_about_twice_as_long():
    server = Server(*(busy(None, ServerFaultError) for _ in range(9)))
    with pytest.raises(ServerFaultError):
        ask(server, max_retries=4)
    gaps = [later - earlier for earlier, later in zip(server.asked, server.asked[1:], strict=False)]
    assert len(gaps) == 4
    for number, gap in enumerate(gaps):
        assert 0.5 <= gap / (FIRST_BACKOFF * 2**number) <= 1.01
    assert backoff(60) <= LONGEST_BACKOFF


def test_what_a_retry_cannot_help_is_not_sent_again():
    server = Server(WriterError("No."))
    with pytest.raises(WriterError):
        ask(server)
    assert len(server.asked) == 1


def test_while_one_is_sent_away_all_wait():
    server = Server(busy(30.0))

    async def asked() -> list[str]:
        loop = asyncio.get_running_loop()
        pacing = Pacing(loop.time)

        async def later(seconds: float) -> str:
            await asyncio.sleep(seconds)
            return await send_with_retries(server.send, pacing, 4, PATIENCE)

        return await asyncio.gather(*(later(number) for number in range(20)))

    assert run_in_virtual_time(asked()) == ["answer"] * 20
    assert server.asked[0] == 0
    assert min(server.asked[1:]) >= 30


class Limited:
    """Lets through so many a minute, in bursts of at most `burst`, and says exactly or not at all how long to wait."""

    def __init__(self, a_minute: float, burst: int, *, says: bool) -> None:
        self.rate, self.burst, self.says = a_minute / 60, burst, says
        self.room, self.seen, self.refused = float(burst), 0.0, 0

    async def send(self) -> None:
        now = asyncio.get_running_loop().time()
        self.room = min(self.burst, self.room + (now - self.seen) * self.rate)
        self.seen = now
        if self.room < 1:
            self.refused += 1
            wait = (1 - self.room) / self.rate
            await asyncio.sleep(0.03)
            raise busy(wait if self.says else None)
        self.room -= 1
        await asyncio.sleep(2)


@pytest.mark.parametrize("says", [True, False])
@pytest.mark.parametrize(("a_minute", "burst"), [(70, 1), (70, 10), (300, 5), (1000, 1)])
@pytest.mark.parametrize("workers", [16, 32])
def test_a_limit_far_below_the_concurrency_costs_no_note(a_minute, burst, says, workers):
    server, asked = Limited(a_minute, burst, says=says), iter(range(400))

    async def work() -> float:
        loop = asyncio.get_running_loop()
        pacing = Pacing(loop.time)

        async def worker() -> None:
            for _ in asked:
                await send_with_retries(server.send, pacing, 4, PATIENCE)  # raises if a request uses up its tries

        await asyncio.gather(*(worker() for _ in range(workers)))
        return loop.time()

    seconds = run_in_virtual_time(work())
    fastest = max(400 / a_minute * 60, 400 * 2 / workers)
    assert seconds < 2 * fastest  # not safe by being slow
    assert server.refused < 400 / 3


def test_whoever_asks_has_the_last_word_on_sending_again():
    server, heard = Server(busy(1.0), busy(2.0), None), []

    async def asked() -> str:
        pacing = Pacing(asyncio.get_running_loop().time)
        return await send_with_retries(
            server.send, pacing, 4, PATIENCE, lambda fault: not heard and not heard.append(fault)
        )

    with pytest.raises(BusyError):
        run_in_virtual_time(asked())
    assert len(server.asked) == 2 and len(heard) == 1
