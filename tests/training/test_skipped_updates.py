"""An update whose loss or gradient is not finite changes nothing; ten in a row end the run, in every process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.training_worlds import Inputs, World, fit

pytestmark = pytest.mark.slow
SKIPPED = 2  # number of the update made non-finite, from 0


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    more = "ema: 0.9\nepochs: 1\nbatch_size: 4\n"
    return Inputs.write(tmp_path_factory.mktemp("skipped"), [0, 1, 2] * 32, [0, 1, 2], more)


def nan_in_image(process: int = 0, updates: Sequence[int] = (SKIPPED,)) -> None:
    """One image of one process is NaN: so are features, losses and BatchNorm statistics."""
    from train.training.train_step import TrainStep

    original, passes = TrainStep.views, []

    def views(self: TrainStep, pixels: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
        values = original(self, pixels, draws)
        if self._accelerator.process_index == process and len(passes) in updates:
            values[0] = float("nan")
        passes.append(1)
        return values

    TrainStep.views = views  # type: ignore[method-assign]


def nan_in_gradient() -> None:
    """The loss is finite, one gradient is not."""
    from train.training.train_step import TrainStep

    original, passes = TrainStep._forward_backward, []

    def forward_backward(self: TrainStep, *rest: object) -> dict[str, torch.Tensor]:
        parts = original(self, *rest)  # type: ignore[arg-type]
        if len(passes) == SKIPPED:
            self._trainable[3].grad.view(-1)[0] = float("nan")  # type: ignore[union-attr]
        passes.append(1)
        return parts

    TrainStep._forward_backward = forward_backward  # type: ignore[method-assign]


def infinite_loss() -> None:
    import train.training.train_step as module

    original, passes = module.total, []

    def total(*arguments: object) -> torch.Tensor:
        passes.append(1)
        return original(*arguments) + (float("inf") if len(passes) == SKIPPED + 1 else 0.0)  # type: ignore[arg-type]

    module.total = total


def fit_recorded(words: list[str], error: Callable[[], None]) -> list[dict[str, torch.Tensor]]:
    """Train, and return the complete state after every update."""
    from train import fit as step
    from train.training.train_step import TrainStep

    error()
    original, states = TrainStep.update, []

    def update(self: TrainStep, *rest: object, **more: object) -> None:
        original(self, *rest, **more)  # type: ignore[arg-type]
        assert self.average is not None
        state = {f"model.{name}": tensor for name, tensor in self._plain_model.state_dict().items()}
        state |= {f"average.{name}": tensor for name, tensor in self.average.model.state_dict().items()}
        for number, values in self._plain_optimizer.state_dict()["state"].items():
            state |= {f"optimizer.{number}.{name}": tensor for name, tensor in values.items()}
        unused = "num_batches_tracked"
        states.append({name: each.clone().numpy() for name, each in state.items() if not name.endswith(unused)})

    TrainStep.update = update  # type: ignore[method-assign]
    assert step.main(words) == 0
    return states


@pytest.mark.parametrize(
    ("error", "processes"), [(nan_in_image, 1), (nan_in_image, 2), (nan_in_gradient, 1), (infinite_loss, 1)]
)
def test_a_skipped_update_changes_nothing(
    inputs: Inputs, tmp_path: Path, error: Callable[[], None], processes: int
) -> None:
    words = inputs.arguments(tmp_path / "out", "sync_batchnorm=false")
    world = World(fit_recorded, words, error, processes=processes, output=tmp_path / "printed")
    for states in world.values():
        before, after, later = states[SKIPPED - 1 : SKIPPED + 2]
        assert [name for name in before if (before[name] != after[name]).any()] == []
        assert sum((after[name] != later[name]).any() for name in after) > 0.9 * len(after) - 20
        assert [name for name, each in states[-1].items() if not torch.from_numpy(each).isfinite().all()] == []
    assert "1 updates skipped" in world.printed


def test_ten_in_a_row_end_both_processes_with_one_line(inputs: Inputs, tmp_path: Path) -> None:
    words = inputs.arguments(tmp_path / "out")
    world = World(fit, words, partial(nan_in_image, 1, range(1, 999)), processes=2, output=tmp_path / "printed")
    assert world.statuses() == [2, 2], world.printed
    lines = [line for line in world.printed.replace("\r", "\n").splitlines() if "error:" in line]
    assert len(lines) == 1 and "Traceback" not in world.printed
    assert "10 updates in a row had no finite loss or gradient, in epoch 1" in lines[0]
    assert lines[0].count("squares/train-") == 8  # of the batch of both processes


def test_skipped_updates_are_counted_across_epochs(inputs: Inputs, tmp_path: Path) -> None:
    """The last 6 updates of an epoch of 12 and the first 6 of the next: ten in a row span both."""
    words = inputs.arguments(tmp_path / "out", "epochs=2", "batch_size=8")
    world = World(fit, words, partial(nan_in_image, 0, range(6, 18)), output=tmp_path / "printed")
    assert world.statuses() == [2], world.printed
    assert "10 updates in a row had no finite loss or gradient, in epoch 2" in world.printed
