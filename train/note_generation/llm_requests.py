"""Asking for many notes at once: so many requests under way, no more read ahead, and a clean stop at any time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from tqdm.auto import tqdm

from dermnote.errors import DermNoteError, PictureError
from dermnote.llm.llm_errors import CutOffError, FilteredError, MalformedError, RefusalError, Usage, WriterError
from dermnote.llm.prices import FREE
from dermnote.llm.request import NoteRequest
from dermnote.llm.token_estimate import estimate

from .decisions import Decisions, Job
from .image_payloads import Ready, made_ready
from .recorder import Recorder
from .run_context import Means
from .stop_signal import Stop, stopping_signals

GRACE_S = 10.0  # for the replies under way when a run is stopped: they are paid for
# Between the first requests: replies to what was sent in one instant would queue up behind each other.
STAGGER_S = 0.005
TOO_MANY = 20  # failures without a reply between them, or twice as many as are under way: these fail together
OF_ONE_CASE = (PictureError, MalformedError, CutOffError, RefusalError, FilteredError)  # the next may well be answered
ATTEMPTS = 2  # requests a note may take: the second only for a note that contradicted its record


class Asker:
    """Sends requests and hands on what comes back.

    Args:
        means: What it works with.
        concurrency: Most requests under way.

    Attributes:
        usage: What this run used.
        stop: Why it ended early; None if it did not.
        left: Jobs that were not reached because of that.
    """

    def __init__(self, means: Means, concurrency: int) -> None:
        self._writer, self._cases, self._decisions = means.writer, means.cases, means.decisions
        self._cache, self._recorder, self._budget = means.cache, means.recorder, means.budget
        self._concurrency = concurrency
        self._picture_tokens = (means.budget.price or FREE).picture
        self.usage, self.left = Usage(), 0
        self.stop: Stop | None = None
        self._failed_in_a_row, self._too_many = 0, max(TOO_MANY, 2 * concurrency)
        self._broken: Exception | None = None

    async def run(self, jobs: Sequence[Job]) -> None:
        """Gets the notes of these jobs, until they are done or something stops the run.

        Should the disk be full, or should this program have a fault, the replies under way are taken in all the same.
        """
        if self.stop or not jobs:
            self.left += len(jobs)
            return
        self._stopped, self._freed = asyncio.Event(), asyncio.Event()
        self._decisions.checker.prepare()
        count = min(self._concurrency, len(jobs))
        with (
            tqdm(total=len(jobs), desc="asking for notes", unit="note", smoothing=0.1) as self._bar,
            made_ready(jobs, self._cases, ahead=count) as waiting,
        ):
            everyone = asyncio.ensure_future(self._everyone(waiting, count))
            with stopping_signals(self._end, everyone.cancel):
                await self._finish(everyone)
            self.left += self._bar.total - self._bar.n
        if self._broken:
            raise self._broken

    async def _finish(self, everyone: asyncio.Future[Any]) -> None:
        """Waits for the workers; once the run is stopped only for a while."""
        stopped = asyncio.ensure_future(self._stopped.wait())
        await asyncio.wait([everyone, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not everyone.done():
            await asyncio.wait([everyone], timeout=GRACE_S)
        everyone.cancel()
        try:
            await everyone
        except asyncio.CancelledError:
            if not self.stop:  # not our doing
                raise

    def _end(self, stop: Stop) -> None:
        """Has no further request sent."""
        self.stop = self.stop or stop
        self._stopped.set()
        self._freed.set()

    async def _everyone(self, waiting: Iterator[tuple[Job, Ready]], count: int) -> None:
        workers = []
        for _ in range(count):
            workers.append(asyncio.ensure_future(self._work(waiting)))
            await asyncio.sleep(STAGGER_S)
        await asyncio.gather(*workers)

    async def _work(self, waiting: Iterator[tuple[Job, Ready]]) -> None:
        for job, picture in waiting:
            if self.stop:
                return
            try:
                if await self._one(job, picture):
                    self._bar.update()
            except DermNoteError as error:  # what is said of one case is handled: this is of the files
                self._end(Stop(str(error), error=error))
            except Exception as error:
                self._broken = self._broken or error
                self._end(Stop("this program has a fault"))

    async def _one(self, job: Job, picture: Ready) -> bool:
        """Brings one job to its end; False if the run was stopped before that."""
        decision, asked = self._decisions.decide(job), False
        try:
            for _ in range(ATTEMPTS):
                if decision.ask is None or not await self._ask(job, decision.ask, await picture):
                    break
                decision, asked = self._decisions.decide(job), True
        except (WriterError, PictureError) as error:
            self._count_failure(error)
            if decision.note is None:
                self._recorder.fail(job, error)
                return True
        if decision.note is None:
            return False
        self._recorder.write(job, decision.note, asked=asked)
        return True

    async def _ask(self, job: Job, request: NoteRequest, jpeg: bytes | PictureError | None) -> bool:
        """Has a reply put into the cache; False if the run was stopped, or the money is used up."""
        if isinstance(jpeg, PictureError):
            raise jpeg
        expected, used, lost = estimate(request, self._cases.images[job.row], self._picture_tokens), Usage(), False
        if not await self._admitted(expected.worst):
            return False
        try:
            reply = await self._writer.ask(request, jpeg, partial(self._may_repeat, expected.once))
            used = reply.usage
            self._cache.add(request.key, reply, job.asking.strategy.name, job.asking.model)
        except WriterError as error:
            used, lost = error.usage, error.answer_lost
            raise
        except asyncio.CancelledError:
            lost = True
            raise
        finally:
            self._budget.settle(expected.worst, used)
            if lost:
                self._budget.guess(expected.once)
            self.usage += used
            self._freed.set()
        self._failed_in_a_row = 0
        self._show()
        return True

    def _may_repeat(self, once: Usage, fault: WriterError) -> bool:
        """Counts a request whose answer was lost, as it may be billed; False if the limit has no room for another."""
        if fault.answer_lost:
            if not self._budget.has_room(once):
                return False
            self._budget.guess(once)
        return True

    async def _admitted(self, worst: Usage) -> bool:
        """Waits until the limit has room for a request at its worst; False if it never will."""
        while not self.stop and not self._budget.admit(worst):
            if self._budget.idle:
                self._end(Stop(f"the limit of ${self._budget.limit:g} is reached"))
                break
            self._freed.clear()
            await self._freed.wait()
        return not self.stop

    def _count_failure(self, error: WriterError | PictureError) -> None:
        """Stops the run where the next requests would fail as this one did."""
        self._failed_in_a_row = 0 if isinstance(error, OF_ONE_CASE) else self._failed_in_a_row + 1
        if isinstance(error, WriterError) and error.fatal:
            self._end(Stop(str(error), error=error))
        elif self._failed_in_a_row >= self._too_many:
            self._end(Stop(f"{self._too_many} requests in a row have failed. The last: {error}"))
        self._show()

    def _show(self) -> None:
        shown = {"failed": self._recorder.failures.count}
        cost = {"cost": f"${self._budget.spent:.2f}"} if self._budget.price else {}
        self._bar.set_postfix(shown | cost, refresh=False)


def settle_from_cache(jobs: Sequence[Job], decisions: Decisions, recorder: Recorder) -> list[Job]:
    """Writes the notes whose replies are there already.

    Returns:
        The jobs for which something has to be asked.
    """
    waiting = []
    for job in tqdm(jobs, desc="reading replies", unit="note", leave=False):
        decision = decisions.decide(job)
        if decision.ask is None and decision.note is not None:
            recorder.write(job, decision.note, asked=False)
        else:
            waiting.append(job)
    return waiting
