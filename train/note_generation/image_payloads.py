"""Pictures made ready to be sent while earlier requests are under way: no request waits for its picture."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from dermnote.cores import available_cores
from dermnote.errors import PictureError
from dermnote.llm.image_payload import outgoing_jpeg

from .decisions import Job
from .records import Records

Ready = asyncio.Future[bytes | PictureError | None]


def sent_picture(job: Job, cases: Records) -> bytes | None:
    """A job's picture as it will be sent; None for a strategy without. PictureError: it is damaged."""
    return outgoing_jpeg(cases.images[job.row]) if job.asking.strategy.uses_picture else None


@contextmanager
def made_ready(jobs: Sequence[Job], cases: Records, ahead: int) -> Iterator[Iterator[tuple[Job, Ready]]]:
    """Gives the jobs in order, each with its picture as it will be sent; None for a strategy without.

    Args:
        jobs: What is to be written.
        cases: Their pictures.
        ahead: How many are made ready before they are taken.
    """

    def prepare(job: Job) -> bytes | PictureError | None:
        try:
            return sent_picture(job, cases)
        except PictureError as error:
            return error

    def give() -> Iterator[tuple[Job, Ready]]:
        queue: deque[tuple[Job, Ready]] = deque()
        for job in jobs:
            queue.append((job, loop.run_in_executor(pool, prepare, job)))
            if len(queue) > ahead:
                yield queue.popleft()
        while queue:
            yield queue.popleft()

    loop, pool = asyncio.get_running_loop(), ThreadPoolExecutor(available_cores())
    try:
        yield give()
    finally:
        pool.shutdown(cancel_futures=True)
