"""Batch normalisation over several processes against torch's over the whole batch."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.training_worlds import World
from train.runtime.distributed import CPUSyncBatchNorm, synchronise_batch_norm

ROUNDS = 3
SHAPES = {"flat": (8, 5), "square": (8, 5, 3, 2)}


def layers(kind: str) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """Return a norm with random weights, batches (ROUNDS, 8, ...), and factors of their outputs."""
    generator = torch.Generator().manual_seed(4)
    norm = (nn.BatchNorm1d if kind == "flat" else nn.BatchNorm2d)(5, momentum=0.3)
    with torch.no_grad():
        norm.weight.copy_(torch.rand(5, generator=generator) + 0.5)
        norm.bias.copy_(torch.randn(5, generator=generator))
    batches = 4 * torch.randn(ROUNDS, *SHAPES[kind], generator=generator) + 10
    return nn.Sequential(norm), batches, torch.randn(ROUNDS, *SHAPES[kind], generator=generator)


def normalise(kind: str, count: int) -> dict[str, np.ndarray]:
    """Train on this process's share of the batches; return outputs, running statistics and gradients."""
    import torch.distributed as dist
    from accelerate.state import PartialState

    state = PartialState(cpu=True)
    rank = state.process_index
    assert state.num_processes == count
    module, batches, weights = layers(kind)
    if count > 1:
        assert dist.get_world_size() == count
        synchronise_batch_norm(module, torch.device("cpu"))
        assert isinstance(module[0], CPUSyncBatchNorm)
    share = slice(rank * 8 // count, (rank + 1) * 8 // count)
    inputs = batches[:, share].clone().requires_grad_()
    outputs = torch.stack([module(each) for each in inputs])
    (outputs**2 * weights[:, share]).sum().backward()
    module.eval()
    values = {name: each.numpy() for name, each in module.state_dict().items()}
    values |= {f"gradient of {name}": each.grad.numpy() for name, each in module.named_parameters()}
    evaluated = module(batches[0]).detach().numpy()
    return values | {"outputs": outputs.detach().numpy(), "inputs": inputs.grad.numpy(), "evaluated": evaluated}


@pytest.mark.slow
@pytest.mark.parametrize("kind", SHAPES)
def test_two_halves_are_normalised_as_one_batch(kind: str, tmp_path: Path) -> None:
    one, other = World(normalise, kind, 2, processes=2, output=tmp_path / "two").values()
    (whole,) = World(normalise, kind, 1, output=tmp_path / "one").values()
    joined = {
        name: np.concatenate([one[name], other[name]], 1) if name in ("outputs", "inputs") else one[name]
        for name in whole
    }
    for name in ("gradient of 0.weight", "gradient of 0.bias"):  # each holds its part of the sum
        joined[name] = one[name] + other[name]
    for name, value in whole.items():
        np.testing.assert_allclose(joined[name], value, rtol=1e-5, atol=1e-5, err_msg=name)


def test_a_single_process_equals_torch_bitwise() -> None:
    for kind in SHAPES:
        module, batches, _ = layers(kind)
        ours = copy.deepcopy(module)
        synchronise_batch_norm(ours, torch.device("cpu"))
        for batch in batches:
            assert torch.equal(ours(batch), module(batch))
        assert all(torch.equal(one, ours.state_dict()[name]) for name, one in module.state_dict().items())
