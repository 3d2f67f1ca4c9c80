"""The accelerator of a run: device, precision, processes."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState

from dermnote.errors import ConfigError

from ..runtime.malloc import keep_freed_memory
from ..runtime.threads import take_all_cores


def resolve_precision(asked: str) -> str:
    """What "auto" is on this machine: "bf16" where the hardware computes in it, otherwise "no"; all else as it is.

    A CPU without bf16 instructions, and a GPU before Ampere, can imitate it: the CPU then takes ten times as long as in
    float32.
    """
    return ("bf16" if _computes_in_bf16() else "no") if asked == "auto" else asked


def _computes_in_bf16() -> bool:
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def make_accelerator(asked: str) -> Accelerator:
    """An accelerator for this precision ("auto", "no", "bf16", "fp16"), even if the process had another before.

    Its `mixed_precision` says what "auto" came to.

    Raises:
        ConfigError: The device cannot compute in that precision.
    """
    precision = resolve_precision(asked)
    if PartialState().num_processes == 1:  # accelerate keeps one state for the whole process: a second run starts clean
        AcceleratorState._reset_state(reset_partial_state=True)
        GradientState._reset_state()
    cpu = not torch.cuda.is_available()
    if precision == "fp16" and cpu:
        raise ConfigError("Precision fp16 needs a GPU.", "Use --set precision=bf16 (or no).")
    if precision == "bf16" and not cpu and not torch.cuda.is_bf16_supported():
        raise ConfigError("This GPU cannot compute in bf16.", "Use --set precision=fp16 (or no).")
    accelerator = Accelerator(cpu=cpu, mixed_precision=precision)
    if precision == "bf16" and not _computes_in_bf16():
        accelerator.print("bf16 is imitated here, several times slower than float32: --set precision=auto is quicker.")
    keep_freed_memory(accelerator.device)
    take_all_cores()
    return accelerator
