"""In which precision a machine computes when nobody says."""

from __future__ import annotations

import pytest
import torch

from train.training.devices import resolve_precision


@pytest.mark.parametrize(
    ("gpu", "native", "avx512", "amx", "precision"),
    [
        (False, False, False, False, "no"),
        (False, False, True, False, "bf16"),
        (False, False, False, True, "bf16"),
        (True, True, False, False, "bf16"),
        (True, False, True, True, "no"),  # a GPU before Ampere, beside a CPU that could
    ],
)
def test_auto_is_bf16_where_the_hardware_computes_in_it(
    monkeypatch: pytest.MonkeyPatch, gpu: bool, native: bool, avx512: bool, amx: bool, precision: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: native or including_emulation)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert resolve_precision("auto") == precision
    assert [resolve_precision(asked) for asked in ("no", "bf16", "fp16")] == ["no", "bf16", "fp16"]
