"""Signals during a run, on systems whose event loops take them and on those whose do not."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from train.note_generation.concurrent_requests import stopping_signals


async def heard_of(number: signal.Signals) -> list[str]:
    """What is called when a signal comes twice."""
    heard: list[str] = []
    with stopping_signals(lambda stop: heard.append(f"{stop.status}"), lambda: heard.append("hurry")):
        for count in (1, 2):
            os.kill(os.getpid(), number)
            while len(heard) < count:
                await asyncio.sleep(0)
    return heard


@pytest.mark.parametrize("taken_by_the_loop", [True, False])  # False: as on Windows
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, "130"), (signal.SIGTERM, "143")])
def test_a_signal_stops_a_second_hurries_and_afterwards_all_is_as_before(
    monkeypatch, number, status, taken_by_the_loop
):
    def refuse(*_: Any) -> None:
        raise NotImplementedError

    before = signal.getsignal(number)
    if not taken_by_the_loop:
        monkeypatch.setattr(asyncio.SelectorEventLoop, "add_signal_handler", refuse)
    assert asyncio.run(asyncio.wait_for(heard_of(number), 10)) == [status, "hurry"]
    assert signal.getsignal(number) is before
