"""The benchmark of training runs as a whole on the small pair, and what it reckons on paper is right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.benchmarks.training import SECTIONS, chosen, main, parser
from tests.benchmarks.training_parts.alternating import Block, alternate, ratios
from tests.benchmarks.training_parts.figures import Figure
from tests.benchmarks.training_parts.floor import StepBytes, count_bytes
from tests.benchmarks.training_parts.on_gpu import measured
from tests.benchmarks.training_parts.projection import epoch_cost


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_the_command_prints_every_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "training.json"
    brief = ["--pair", "small", "--batch", "4", "--steps", "2", "--repeats", "1", "--pictures", "12"]
    assert main([*brief, "--peer-workers", "1", "--set", "ema=0.9", "--json", str(out)]) == 0
    printed, told = capsys.readouterr().out, json.loads(out.read_text(encoding="utf-8"))
    assert len(told["tables"]) == len(SECTIONS) + 1
    figures = {(table["title"], each["name"]): each for table in told["tables"] for each in table["figures"]}
    for title, name in figures:
        assert title in printed and name in printed
    gpu = torch.cuda.is_available()
    assert all(each["value"] > 0 for each in figures.values() if gpu or "no GPU" not in each["remark"])
    aimed = [each for each in figures.values() if each["target"] is not None]
    assert {each["target"] for each in aimed} >= {2.8, 8.0, 1.8, 1.0, 10.0}
    assert "--pair small" in told["machine"]["command"] and "torch" in told["machine"]["versions"]


@pytest.mark.usefixtures("one_thread")
def test_what_a_gpu_is_measured_by_runs_on_a_cpu_too() -> None:
    brief = ["--pair", "small", "--batch", "4", "--steps", "1", "--repeats", "1", "--pictures", "8"]
    setting = chosen(parser().parse_args([*brief, "--peer-workers", "0"]))
    table = measured(setting, StepBytes(10**6, 10**6, 10**6), Figure("bytes", 3e-3, "GB"), copied_megabytes=1)
    values = {figure.name: figure.value for figure in table.figures}
    rates = [values["ours, from the cache"], values["ours, on data in GPU memory"]]
    assert values["end to end against data in GPU memory, from the cache"] == pytest.approx(rates[0] / rates[1])
    floor = 3e6 / (values["memory bandwidth of a copy"] * 1e9)
    assert values["fraction of the bandwidth floor, on data in GPU memory"] == pytest.approx(floor * rates[1] / 4)


def network() -> nn.Module:
    convolution = nn.Conv2d(3, 4, 3, padding=1, bias=False)  # 108 weights
    return nn.Sequential(convolution, nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(256, 5))  # 8, 1285


def run(model: nn.Module) -> Tensor:
    output: Tensor = model(
        torch.empty(2, 3, 8, 8, device="meta")
    )  # 384 numbers; 512 after the convolution, 10 at the end
    return output


def test_bytes_are_counted_as_by_hand() -> None:
    forward = 2 * (384 + 108 + 512) + 2 * (512 + 8 + 512) + 2 * (512 + 1285 + 10)
    convolution = 2 * (512 + 384 + 108) + 4 * 108  # no gradient of the picture
    norm = 2 * (512 + 512 + 8 + 512) + 4 * 8
    linear = 2 * (10 + 512 + 1285 + 512) + 4 * 1285
    optimizer = 4 * (2 + 2 + 1 + 2) * (108 + 8 + 1285)
    assert count_bytes(network(), run) == StepBytes(forward, convolution + norm + linear, optimizer)
    assert count_bytes(network(), run, moments=3).optimizer == 4 * 9 * 1401


def test_what_is_frozen_has_no_way_back() -> None:
    model = network()
    model.requires_grad_(False)[-1].requires_grad_(True)
    counted = count_bytes(model, run)
    assert counted.backward == 2 * (10 + 512 + 1285) + 4 * 1285
    assert counted.optimizer == 4 * 7 * 1285
    assert counted.forward == count_bytes(network(), run).forward
    assert all(each.device.type == "cpu" for each in model.parameters())


def test_an_epoch_on_paper() -> None:
    cost = epoch_cost(10_000, rate=50.0, side=256, jpeg_bytes=20e3)
    assert (cost.seconds, cost.stored, cost.decoded) == (200.0, 200e6, 10_000 * 3 * 256 * 256)


def test_contestants_take_turns_and_the_first_round_does_not_count() -> None:
    order: list[str] = []
    seconds = {"ours": iter((9.0, 1.0, 2.0)), "theirs": iter((9.0, 4.0, 4.0))}

    def contestant(name: str) -> Block:
        order.append(name)
        return Block(8, next(seconds[name]))

    rates = alternate({name: lambda name=name: contestant(name) for name in seconds}, 2)  # type: ignore[misc]
    assert order == ["ours", "theirs"] * 3
    assert rates == {"ours": [8.0, 4.0], "theirs": [2.0, 2.0]}
    assert ratios(rates, "ours", "theirs") == [4.0, 2.0]


def test_a_target_is_met_missed_or_not_measured() -> None:
    assert [Figure("a", value, target=2.0).met for value in (2.0, 1.9, None)] == [True, False, None]
