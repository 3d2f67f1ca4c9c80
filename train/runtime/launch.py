"""The processes of an `accelerate launch` (or torchrun), for the steps that use a model without training it.

    with launched(asked.device) as processes:
        ...                            # every process does its share (train.runtime.sharding)
        if processes.main:
            ...                        # one writes and speaks; the others wait for it

Without a launcher there is one process, and nothing is set up.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

from dermnote.errors import ConfigError, DermNoteError

from .malloc import keep_freed_memory
from .threads import take_all_cores

PATIENCE = timedelta(days=1)  # the main process may train an index for hours; one that dies ends all the others at once
GRACE = 10  # seconds


@dataclass(frozen=True)
class Launched:
    """This process among those launched together.

    Attributes:
        device: Where it computes.
        main: Whether it is the one that writes and speaks.
        count: How many there are.
    """

    device: torch.device
    main: bool
    count: int


@contextmanager
def launched(device: str | None = None) -> Iterator[Launched]:
    """Joins the processes launched together; leaves when all of them are done.

    Args:
        device: As the user named it; None takes a GPU if there is one.

    Raises:
        ConfigError: Several processes cannot compute on one named GPU.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        alone = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        keep_freed_memory(alone)
        take_all_cores()
        yield Launched(alone, True, 1)
        return
    if device not in (None, "cpu", "cuda"):
        raise ConfigError(f"--device {device} is one device, and the launcher started several processes.")
    from accelerate import PartialState

    ours = not dist.is_initialized()
    state = PartialState(cpu=device == "cpu" or not torch.cuda.is_available(), timeout=PATIENCE)
    keep_freed_memory(state.device)
    try:
        yield Launched(state.device, state.is_main_process, state.num_processes)
    except DermNoteError:
        if not state.is_main_process:
            time.sleep(GRACE)  # the launcher ends all when one ends: first the one that says what is wrong
        raise
    state.wait_for_everyone()
    if ours:
        state.destroy_process_group()
        PartialState._reset_state()
