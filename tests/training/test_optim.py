"""Trainable layers, and the moving average of the weights against its formula."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dermnote.errors import ConfigError
from dermnote.models.image_encoder import ImageEncoder
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.text_encoder import TextEncoder
from train.training.optim import MovingAverage, set_trainable
from train.training.train_config import TrainConfig


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.learns, self.frozen, self.norm = nn.Linear(3, 2), nn.Linear(2, 2), nn.BatchNorm1d(2)
        self.frozen.requires_grad_(False)


@pytest.mark.parametrize("decay", [0.2, 0.999])
def test_the_average_is_its_formula_over_the_updates_made(decay: float) -> None:
    torch.manual_seed(0)
    model, counter = Small(), "norm.num_batches_tracked"
    average = MovingAverage(model, decay)  # type: ignore[arg-type]
    expected = {name: each.double() for name, each in model.state_dict().items()}
    for updates in range(30):
        with torch.no_grad():
            for each in (*model.learns.parameters(), *model.norm.parameters()):
                each += torch.randn_like(each)
        model.norm(torch.randn(4, 2) * 3)
        made = updates % 7 != 3  # some updates are skipped, and do not count
        before = {name: each.clone() for name, each in average.model.state_dict().items() if name != counter}
        average.update(updates, torch.tensor(made))
        assert made or all(torch.equal(each, average.model.state_dict()[name]) for name, each in before.items())
        share = 1 - min(decay, (1 + updates) / (10 + updates))
        for name in before if made else ():
            expected[name] += share * (model.state_dict()[name].double() - expected[name])
    expected[counter] = torch.tensor(30.0).double()
    for name, each in average.model.state_dict().items():
        torch.testing.assert_close(each.double(), expected[name], rtol=1e-5, atol=1e-6)
    assert average.model.frozen.weight is model.frozen.weight  # not copied
    assert not average.model.training
    assert not any(each.requires_grad for each in average.model.parameters())


def three_layers() -> DermNoteModel:
    texts = ["A dark spot.", "A tan spot, even and round."]
    encoder = TextEncoder.from_scratch(texts, hidden_size=16, layers=3, heads=2, vocab_size=80, max_length=24)
    return DermNoteModel(ImageEncoder("shufflenet_v2_x0_5", None, 32), encoder, 3, 8)


@pytest.mark.parametrize(("layers", "trainable"), [(0, ""), (1, "2"), (2, "12"), ("all", "012e")])
def test_text_layers_selects_the_trainable_layers(layers: int | str, trainable: str) -> None:
    model = three_layers()
    set_trainable(model, TrainConfig(text_model="any", text_layers=layers))  # type: ignore[arg-type]
    prefixes = {"e": "embeddings.", **{str(number): f"encoder.layer.{number}." for number in range(3)}}
    for name, parameter in model.text_encoder.model.named_parameters():  # type: ignore[union-attr]
        learns = any(name.startswith(prefix) for part, prefix in prefixes.items() if part in trainable)
        assert parameter.requires_grad == learns, name  # never the pooler: it is not used
    heads = [model.classifier, model.image_projection, model.text_projection]
    assert all(each.requires_grad for head in heads for each in head.parameters())  # type: ignore[union-attr]


def test_more_layers_than_there_are_is_one_line() -> None:
    with pytest.raises(ConfigError, match="text_layers is 4, but the text model has 3 layers"):
        set_trainable(three_layers(), TrainConfig(text_model="any", text_layers=4))
