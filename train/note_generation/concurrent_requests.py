"""Concurrent requests: a fixed number under way, images prepared ahead, and an orderly stop at any time."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

from tqdm.auto import tqdm

from dermnote.cores import available_cores
from dermnote.errors import DermNoteError, ImageError
from dermnote.llm.llm_errors import CutOffError, FilteredError, MalformedError, RefusalError, Usage, WriterError
from dermnote.notes.note_request import NoteRequest

from .note_run import Job, NoteRun, Stop

GRACE_S = 10.0  # wait for replies under way when a run is stopped, as they are paid for
# Between the first requests, as replies to requests sent at the same time would arrive at the same time.
STAGGER_S = 0.005
TOO_MANY = 20  # failures in a row, or twice as many as are under way, which may fail together
OF_ONE_CASE = (ImageError, MalformedError, CutOffError, RefusalError, FilteredError)  # the next request may succeed
ATTEMPTS = 2  # requests for a note: the second only after a note that contradicted its record

Payload = asyncio.Future[bytes | ImageError | None]


class ConcurrentRequests:
    """Sender of the requests of a run."""

    def __init__(self, run: NoteRun) -> None:
        self._run = run
        self._concurrency = run.settings.options.concurrency
        self._failed_in_a_row, self._too_many = 0, max(TOO_MANY, 2 * self._concurrency)
        self._crash: Exception | None = None

    async def send(self, jobs: Sequence[Job]) -> None:
        """Write the notes of the jobs, until they are complete or the run is stopped.

        Replies under way are stored even if the disk is full or this program fails.
        """
        if self._run.stop or not jobs:
            self._run.unsent += len(jobs)
            return
        self._stopped, self._released = asyncio.Event(), asyncio.Event()
        self._run.auditor.prepare()
        count = min(self._concurrency, len(jobs))
        with (
            tqdm(total=len(jobs), desc="requesting notes", unit="note", smoothing=0.1) as self._bar,
            self._prepared(jobs, ahead=count) as queue,
        ):
            workers = asyncio.ensure_future(self._start_workers(queue, count))
            with stopping_signals(self._end, workers.cancel):
                await self._finish(workers)
            self._run.unsent += self._bar.total - self._bar.n
        if self._crash:
            raise self._crash

    async def _finish(self, workers: asyncio.Future[None]) -> None:
        """Wait for the workers, for a limited time once the run is stopped."""
        stopped = asyncio.ensure_future(self._stopped.wait())
        both: list[asyncio.Future[Any]] = [workers, stopped]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not workers.done():
            await asyncio.wait([workers], timeout=GRACE_S)
        workers.cancel()
        try:
            await workers
        except asyncio.CancelledError:
            if not self._run.stop:  # cancelled from outside
                raise

    def _end(self, stop: Stop) -> None:
        """Send no further requests."""
        self._run.stop = self._run.stop or stop
        self._stopped.set()
        self._released.set()

    @contextmanager
    def _prepared(self, jobs: Sequence[Job], ahead: int) -> Iterator[Iterator[tuple[Job, Payload]]]:
        """Yield the jobs in order with their images, of which `ahead` are prepared in threads in advance."""

        def prepare(job: Job) -> bytes | ImageError | None:
            try:
                return self._run.payload(job)
            except ImageError as error:
                return error

        def queue() -> Iterator[tuple[Job, Payload]]:
            prepared: deque[tuple[Job, Payload]] = deque()
            for job in jobs:
                prepared.append((job, loop.run_in_executor(pool, prepare, job)))
                if len(prepared) > ahead:
                    yield prepared.popleft()
            while prepared:
                yield prepared.popleft()

        loop, pool = asyncio.get_running_loop(), ThreadPoolExecutor(available_cores())
        try:
            yield queue()
        finally:
            pool.shutdown(cancel_futures=True)

    async def _start_workers(self, queue: Iterator[tuple[Job, Payload]], count: int) -> None:
        workers = []
        for _ in range(count):
            workers.append(asyncio.ensure_future(self._work(queue)))
            await asyncio.sleep(STAGGER_S)
        await asyncio.gather(*workers)

    async def _work(self, queue: Iterator[tuple[Job, Payload]]) -> None:
        for job, payload in queue:
            if self._run.stop:
                return
            try:
                if await self._complete(job, payload):
                    self._bar.update()
            except DermNoteError as error:  # of the files: errors of single requests are handled before
                self._end(Stop(str(error), error=error))
            except Exception as error:
                self._crash = self._crash or error
                self._end(Stop("an internal error occurred"))

    async def _complete(self, job: Job, payload: Payload) -> bool:
        """Write a job's note or failure; False if the run was stopped before."""
        decision, new = self._run.decide(job), False
        try:
            for _ in range(ATTEMPTS):
                if decision.request is None or not await self._request(job, decision.request, await payload):
                    break
                decision, new = self._run.decide(job), True
        except (WriterError, ImageError) as error:
            self._count_failure(error)
            if decision.note is None:
                self._run.fail(job, error)
                return True
        if decision.note is None:
            return False
        self._run.record(job, decision.note, new=new)
        return True

    async def _request(self, job: Job, request: NoteRequest, jpeg: bytes | ImageError | None) -> bool:
        """Store the reply to a request; False if the run was stopped or the limit is reached."""
        if isinstance(jpeg, ImageError):
            raise jpeg
        run, used, lost = self._run, Usage(), False
        expected = run.estimate(job, request)
        if not await self._admitted(expected.worst):
            return False
        try:
            reply = await run.writer.ask(request, jpeg, partial(self._may_repeat, expected.once))
            used = reply.usage
            run.store(request, reply)
        except WriterError as error:
            used, lost = error.usage, error.answer_lost
            raise
        except asyncio.CancelledError:
            lost = True
            raise
        finally:
            run.budget.settle(expected.worst, used)
            if lost:
                run.budget.guess(expected.once)
            run.usage += used
            self._released.set()
        self._failed_in_a_row = 0
        self._show()
        return True

    def _may_repeat(self, once: Usage, error: WriterError) -> bool:
        """Count a request whose answer was lost, as it may be billed; False if the limit allows no other."""
        if error.answer_lost:
            if not self._run.budget.has_room(once):
                return False
            self._run.budget.guess(once)
        return True

    async def _admitted(self, worst: Usage) -> bool:
        """Wait until the limit allows a request at its worst; False if it never will."""
        while not self._run.stop and not self._run.budget.admit(worst):
            if self._run.budget.idle:
                self._end(Stop(f"the limit of ${self._run.budget.limit:g} is reached"))
                break
            self._released.clear()
            await self._released.wait()
        return not self._run.stop

    def _count_failure(self, error: WriterError | ImageError) -> None:
        """Stop the run if the next requests would fail in the same way."""
        self._failed_in_a_row = 0 if isinstance(error, OF_ONE_CASE) else self._failed_in_a_row + 1
        if isinstance(error, WriterError) and error.fatal:
            self._end(Stop(str(error), error=error))
        elif self._failed_in_a_row >= self._too_many:
            self._end(Stop(f"{self._too_many} requests in a row have failed. The last: {error}"))
        self._show()

    def _show(self) -> None:
        cost = {"cost": f"${self._run.budget.spent:.2f}"} if self._run.budget.price else {}
        self._bar.set_postfix({"failed": self._run.failures.count} | cost, refresh=False)


@contextmanager
def stopping_signals(stop: Callable[[Stop], object], hurry: Callable[[], object]) -> Iterator[None]:
    """Call `stop` in the running event loop after Ctrl-C or SIGTERM, and `hurry` after the second.

    Outside the main thread, where no signal can be caught, signals keep their usual effect.
    """
    loop, calls = asyncio.get_running_loop(), iter([stop])

    def handle(number: signal.Signals) -> None:
        call = next(calls, None)
        if call is None:
            hurry()
        else:
            print("\nstopping in good order; once more to stop at once", file=sys.stderr)
            call(Stop(f"by {number.name}; run the same command again to go on", 128 + number))

    with ExitStack() as handlers:
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(RuntimeError, ValueError):
                handlers.callback(_add_handler(loop, number, partial(handle, number)))
        yield


def _add_handler(
    loop: asyncio.AbstractEventLoop, number: signal.Signals, handle: Callable[[], None]
) -> Callable[[], object]:
    """Handle a signal; returns the function that restores the previous handler."""
    try:
        loop.add_signal_handler(number, handle)
    except NotImplementedError:  # Windows
        previous = signal.signal(number, lambda *_: loop.call_soon_threadsafe(handle))
        return partial(signal.signal, number, previous)
    return partial(loop.remove_signal_handler, number)
