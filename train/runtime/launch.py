"""Device, precision, and processes of a step that `accelerate launch` or torchrun starts.

Training uses `make_accelerator`. Steps that only apply a model use `launched`:

    with launched(args.device) as process:
        ...                            # every process computes its share (`distributed.batch_shares`)
        if process.main:
            ...                        # one process writes and prints; the others wait for it

Without a launcher there is one process, and nothing is set up.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist

from dermnote.errors import ConfigError, DermNoteError

from .console import STEPS
from .environment import keep_freed_memory, started_by_accelerate, use_all_cores

if TYPE_CHECKING:
    from accelerate import Accelerator

TIMEOUT = timedelta(days=1)  # the main process may train an index for hours; a dead process ends all others at once
GRACE_SECONDS = 10


@dataclass(frozen=True)
class Launched:
    """This process among `count` launched together: its device, and whether it is the one that writes and prints."""

    device: torch.device
    main: bool
    count: int


@contextmanager
def launched(device: str | None = None) -> Iterator[Launched]:
    """Join the processes launched together, and leave when all of them are done.

    Args:
        device: Device named by the user; None takes a GPU if there is one.

    Raises:
        ConfigError: Several processes cannot compute on one named GPU.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        single = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        keep_freed_memory(single.type)
        use_all_cores()
        yield Launched(single, True, 1)
        return
    if device not in (None, "cpu", "cuda"):
        raise ConfigError(f"--device {device} is one device, and the launcher started several processes.")
    from accelerate import PartialState

    joined_here = not dist.is_initialized()
    state = PartialState(cpu=device == "cpu" or not torch.cuda.is_available(), timeout=TIMEOUT)
    keep_freed_memory(state.device.type)
    try:
        yield Launched(state.device, state.is_main_process, state.num_processes)
    except DermNoteError:
        if not state.is_main_process:
            time.sleep(GRACE_SECONDS)  # the launcher ends all when one ends: let the main process print the error first
        raise
    state.wait_for_everyone()
    if joined_here:
        state.destroy_process_group()
        PartialState._reset_state()


def make_accelerator(precision: str) -> Accelerator:
    """Return an accelerator, even if this process had another before. Its `mixed_precision` resolves "auto".

    Args:
        precision: "auto", "no", "bf16" or "fp16".

    Raises:
        ConfigError: The device cannot compute in that precision.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, GradientState, PartialState

    precision = resolve_precision(precision)
    if PartialState().num_processes == 1:  # accelerate keeps a global state: a second run of a process starts clean
        AcceleratorState._reset_state(reset_partial_state=True)
        GradientState._reset_state()
    cpu = not torch.cuda.is_available()
    if precision == "fp16" and cpu:
        raise ConfigError("Precision fp16 needs a GPU.", "Use --set precision=bf16 (or no).")
    if precision == "bf16" and not cpu and not torch.cuda.is_bf16_supported():
        raise ConfigError("This GPU cannot compute in bf16.", "Use --set precision=fp16 (or no).")
    accelerator = Accelerator(cpu=cpu, mixed_precision=precision)
    if precision == "bf16" and not _has_native_bf16():
        accelerator.print("bf16 is emulated here, several times slower than float32: use --set precision=auto.")
    keep_freed_memory(accelerator.device.type)
    use_all_cores()
    return accelerator


def resolve_precision(precision: str) -> str:
    """Replace "auto" by "bf16" where the hardware computes in it, otherwise by "no"; other values stay.

    A CPU without bf16 instructions, and a GPU before Ampere, can emulate it; the CPU then takes ten times as long as in
    float32.
    """
    return ("bf16" if _has_native_bf16() else "no") if precision == "auto" else precision


def _has_native_bf16() -> bool:
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def check_process_count(processes: int) -> None:
    """Refuse to train in one process when several were requested.

    `accelerate launch --num_processes N` silently starts a single process on a machine without a GPU. It then sets an
    address for several (MASTER_ADDR) and no rank (RANK), which no other launcher does.

    Args:
        processes: Number of connected processes.

    Raises:
        ConfigError: There is one, and more were requested.
    """
    single = processes == 1 and "WORLD_SIZE" not in os.environ
    if single and "MASTER_ADDR" in os.environ and started_by_accelerate():
        raise ConfigError(
            "accelerate launch was requested to start several processes and started one, as always without GPUs.",
            f"Omit --num_processes, or: ACCELERATE_USE_CPU=true torchrun --nproc_per_node 2 -m {STEPS}.fit ...",
        )
