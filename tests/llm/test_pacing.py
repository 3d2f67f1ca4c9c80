"""Waits and retries, in virtual time."""

import asyncio

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
    error = kind("Busy.", retryable=True)
    error.retry_after = seconds
    return error


class Server:
    """Records the times of requests, and follows a script."""

    def __init__(self, *script: WriterError | None) -> None:
        self.script = list(script)
        self.times: list[float] = []

    async def send(self) -> str:
        self.times.append(asyncio.get_running_loop().time())
        error = self.script.pop(0) if self.script else None
        if error is not None:
            raise error
        return "answer"


def request(server: Server, max_retries: int = 4) -> str:
    async def send():
        return await send_with_retries(server.send, Pacing(asyncio.get_running_loop().time), max_retries, PATIENCE)

    return run_in_virtual_time(send())


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
def test_every_form_of_retry_after_is_read(headers, seconds):
    assert retry_after(headers) == pytest.approx(seconds)


@pytest.mark.parametrize("seconds", [0.2, 7.0, 90.0, 500.0])
def test_a_requested_wait_is_kept_exactly(seconds):
    server = Server(busy(seconds))
    assert request(server) == "answer"
    assert server.times == pytest.approx([0, seconds], abs=0.002)
    assert server.times[1] >= seconds


@pytest.mark.parametrize("kind", [BusyError, ServerFaultError])
def test_a_wait_beyond_the_patience_is_an_error(kind):
    server = Server(busy(PATIENCE + 1, kind))
    with pytest.raises(kind):
        request(server)
    assert server.times == [0]


def test_the_total_wait_of_one_request_is_bounded():
    server = Server(*(busy(250.0) for _ in range(9)))
    with pytest.raises(BusyError):
        request(server, max_retries=8)
    assert len(server.times) == 3
    assert server.times[-1] <= PATIENCE


def test_retries_are_bounded_and_each_waits_about_twice_as_long():
    server = Server(*(busy(None, ServerFaultError) for _ in range(9)))
    with pytest.raises(ServerFaultError):
        request(server, max_retries=4)
    gaps = [later - earlier for earlier, later in zip(server.times, server.times[1:], strict=False)]
    assert len(gaps) == 4
    for number, gap in enumerate(gaps):
        assert 0.5 <= gap / (FIRST_BACKOFF * 2**number) <= 1.01
    assert backoff(60) <= LONGEST_BACKOFF


def test_all_requests_wait_after_a_rejection():
    server = Server(busy(30.0))

    async def send():
        pacing = Pacing(asyncio.get_running_loop().time)

        async def later(seconds: float) -> str:
            await asyncio.sleep(seconds)
            return await send_with_retries(server.send, pacing, 4, PATIENCE)

        return await asyncio.gather(*map(later, range(20)))

    assert run_in_virtual_time(send()) == ["answer"] * 20
    assert server.times[0] == 0 and min(server.times[1:]) >= 30


class Limited:
    """Accepts a number of requests a minute, in bursts of at most `burst`, and tells the exact wait or none."""

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
