"""The moving average of the weights against its formula."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from train.training.weight_average import MovingAverage


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.learns, self.frozen, self.norm = nn.Linear(3, 2), nn.Linear(2, 2), nn.BatchNorm1d(2)
        self.frozen.requires_grad_(False)


@pytest.mark.parametrize("decay", [0.2, 0.999])
def test_the_average_is_its_formula(decay: float) -> None:
    torch.manual_seed(0)
    model = Small()
    average = MovingAverage(model, decay)  # type: ignore[arg-type]
    expected = {name: each.double() for name, each in model.state_dict().items()}
    for updates in range(30):
        with torch.no_grad():
            for each in (*model.learns.parameters(), *model.norm.parameters()):
                each += torch.randn_like(each)
        model.norm(torch.randn(4, 2) * 3)
        made = updates % 7 != 3  # some updates are lost, and do not count
        average.update(updates, torch.tensor(made))
        share = 1 - min(decay, (1 + updates) / (10 + updates))
        for name, each in model.state_dict().items():
            if made and name != "norm.num_batches_tracked":
                expected[name] += share * (each.double() - expected[name])
    expected["norm.num_batches_tracked"] = torch.tensor(30.0)
    for name, each in average.model.state_dict().items():
        torch.testing.assert_close(each.double(), expected[name].double(), rtol=1e-5, atol=1e-6)
    assert average.model.frozen.weight is model.frozen.weight  # not held twice
    assert not average.model.training
    assert not any(each.requires_grad for each in average.model.parameters())


def test_a_spoilt_model_does_not_reach_the_average() -> None:
    model = Small()
    average = MovingAverage(model, 0.5)  # type: ignore[arg-type]
    before = {name: each.clone() for name, each in average.model.state_dict().items()}
    with torch.no_grad():
        model.learns.weight += 1
    average.update(0, torch.tensor(False))
    assert all(torch.equal(each, before[name]) for name, each in average.model.state_dict().items())
