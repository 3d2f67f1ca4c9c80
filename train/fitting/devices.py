"""The accelerator of a run: device, precision, processes."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState

from dermnote.errors import ConfigError
from train.freed_memory import keep_freed_memory


def make_accelerator(precision: str) -> Accelerator:
    """An accelerator for this precision ("no", "bf16", "fp16"), even if the process had another before.

    Raises:
        ConfigError: The device cannot compute in that precision.
    """
    if PartialState().num_processes == 1:  # accelerate keeps one state for the whole process: a second run starts clean
        AcceleratorState._reset_state(reset_partial_state=True)
        GradientState._reset_state()
    cpu = not torch.cuda.is_available()
    if precision == "fp16" and cpu:
        raise ConfigError("Precision fp16 needs a GPU.", "Use --set precision=bf16 (or no).")
    if precision == "bf16" and not cpu and not torch.cuda.is_bf16_supported():
        raise ConfigError("This GPU cannot compute in bf16.", "Use --set precision=fp16 (or no).")
    accelerator = Accelerator(cpu=cpu, mixed_precision=precision)
    keep_freed_memory(accelerator.device)
    return accelerator
