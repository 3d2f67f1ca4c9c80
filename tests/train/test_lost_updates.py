"""An update whose loss or gradient is not finite leaves no trace; ten in a row end the run, in every process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny_cases import write_cases, write_settings, write_square_notes
from training_worlds import World, fit, settings

TRAIN, VALIDATION = [0, 1, 2] * 32, [0, 1, 2]
LOST = 2  # the update that is spoilt, counted from 0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lost")
    write_cases(folder / "cases", TRAIN, VALIDATION)
    write_square_notes(folder / "notes.jsonl", TRAIN)
    write_settings(folder / "run.yaml", "ema: 0.9\nepochs: 1\nbatch_size: 4\n")
    return folder


def arguments(place: Path, out: Path) -> list[str]:
    given = ["--config", str(place / "run.yaml"), "--cases", str(place / "cases"), "--out", str(out)]
    return [*given, "--notes", str(place / "notes.jsonl")]


def spoil_pictures(process: int = 0, updates: tuple[int, ...] = (LOST,)) -> None:
    """One picture of one process is not a number: features, losses and BatchNorm statistics neither."""
    from train.training.engine import Engine

    kept, passes = Engine._views, []

    def views(self: Engine, pixels: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
        values = kept(self, pixels, draws)
        if self._accelerator.process_index == process and len(passes) in updates:
            values[0] = float("nan")
        passes.append(1)
        return values

    Engine._views = views  # type: ignore[method-assign]


def spoil_pictures_for_good() -> None:
    spoil_pictures(process=1, updates=tuple(range(1, 999)))


def spoil_gradient() -> None:
    """The loss is sound and one gradient is not."""
    from train.training.engine import Engine

    kept, updates = Engine._step, []

    def step(self: Engine, loss: torch.Tensor) -> torch.Tensor:
        if len(updates) == LOST:
            self._learning[7].grad.view(-1)[0] = float("inf")  # type: ignore[union-attr]
        updates.append(1)
        return kept(self, loss)

    Engine._step = step  # type: ignore[method-assign]


def spoil_loss() -> None:
    """The loss is endless, and its gradients are sound."""
    import train.training.engine as engine

    kept, passes = engine.total, []

    def total(*given: object) -> torch.Tensor:
        passes.append(1)
        return kept(*given) + (float("inf") if len(passes) == LOST + 1 else 0.0)  # type: ignore[arg-type]

    engine.total = total


def fit_watched(words: list[str], spoil: Callable[[], None]) -> list[dict[str, torch.Tensor]]:
    """After every update: all that a run remembers."""
    from train import fit as step
    from train.training.engine import Engine

    spoil()
    kept, seen = Engine.update, []

    def update(self: Engine, *rest: object, **more: object) -> None:
        kept(self, *rest, **more)  # type: ignore[arg-type]
        assert self.average is not None
        held = {f"model.{name}": each for name, each in self._plain.state_dict().items()}
        held |= {f"average.{name}": each for name, each in self.average.model.state_dict().items()}
        for number, state in self._inner.state_dict()["state"].items():
            held |= {f"optimizer.{number}.{name}": each for name, each in state.items()}
        counted = ("num_batches_tracked",)  # says how many batches were seen, and is used for nothing
        seen.append({name: each.clone().numpy() for name, each in held.items() if not name.endswith(counted)})

    Engine.update = update  # type: ignore[method-assign]
    assert step.main(words) == 0
    return seen


@pytest.mark.parametrize(
    ("spoil", "processes"), [(spoil_pictures, 1), (spoil_pictures, 2), (spoil_gradient, 1), (spoil_loss, 1)]
)
def test_a_lost_update_leaves_no_trace(place: Path, tmp_path: Path, spoil: Callable[[], None], processes: int) -> None:
    words = [*arguments(place, tmp_path / "out"), *settings("sync_batchnorm=false")]
    world = World(fit_watched, words, spoil, processes=processes, output=tmp_path / "said")
    for seen in world.values():
        before, after, later = seen[LOST - 1 : LOST + 2]
        assert [name for name in before if (before[name] != after[name]).any()] == []
        assert sum((after[name] != later[name]).any() for name in after) > 0.9 * len(after) - 20
        assert [name for name, each in seen[-1].items() if not torch.from_numpy(each).isfinite().all()] == []
    assert "1 steps skipped" in world.said


def test_ten_in_a_row_end_the_run_in_both_processes(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    world = World(fit, arguments(place, out), spoil_pictures_for_good, processes=2, output=tmp_path / "said")
    assert world.statuses() == [2, 2], world.said
    said = world.said.replace("\r", "\n")
    line = next(each for each in said.splitlines() if each.startswith("error:"))
    assert "10 updates in a row had no finite loss or gradient, in epoch 1" in line
    assert line.count("squares/train-") == 8  # of the batch of both processes
    assert "Traceback" not in said
    assert said.count("error:") == 1


def spoil_every_second_half() -> None:
    """The last 6 updates of an epoch of 12 and the first 6 of the next: ten in a row lie across the border."""
    spoil_pictures(updates=tuple(range(6, 18)))


def test_ten_in_a_row_are_counted_over_the_end_of_an_epoch(place: Path, tmp_path: Path) -> None:
    words = [*arguments(place, tmp_path / "out"), *settings("epochs=2", "batch_size=8")]
    world = World(fit, words, spoil_every_second_half, output=tmp_path / "said")
    assert world.statuses() == [2], world.said
    assert "10 updates in a row had no finite loss or gradient, in epoch 2" in world.said
