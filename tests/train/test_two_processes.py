"""Two processes of 16 compute what one of 32 does: losses, gradients of every parameter, and weights after updates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_cases import write_cases, write_settings, write_square_notes
from training_worlds import World, settings

from dermnote.models.joint_model import ModelOutput
from train.training.checkpoint import checkpoints
from train.training.run_log import read_log

TRAIN = [0, 0, 0, 1, 1, 2, 0, 1] * 8
VALIDATION = [0, 1, 2, 0, 1] * 7 + [0, 2]  # 37: in batches of 16 the processes' shares differ, and the last is cut
STEP = 0.01  # of plain gradient descent: Adam would blow rounding up wherever a gradient is nought in theory
CLOSE = 1e-5  # largest difference in a gradient, as a share of that gradient's largest number

Recorded = list[tuple[dict[str, float], dict[str, np.ndarray]]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    write_cases(folder / "cases", TRAIN, VALIDATION)
    write_square_notes(folder / "notes.jsonl", TRAIN, leave_out=range(0, 64, 7))
    write_settings(folder / "run.yaml", "label_smoothing: 0.1\nema: 0.9\n")
    return folder


def fit_recorded(
    runs: list[tuple[list[str], Callable[[], object] | None]],
) -> list[tuple[Recorded, dict[str, np.ndarray]]]:
    """Runs one after another: losses and gradients of each update, and the weights at the end."""
    import train.training.engine as engine
    from train import fit

    kept_add, kept_gather = engine.Tally.add, engine.gather_output
    # In float32 a unit near nought falls to one side of its ReLU or the other by rounding, and gradients differ by
    # percents for no fault of ours. Everything that asks for float32 gets float64 here.
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double  # type: ignore[assignment,method-assign]
    found = []
    for arguments, prepare in runs:
        recorded: Recorded = []
        gradients: dict[str, np.ndarray] = {}

        def step(self: engine.Engine, loss: torch.Tensor, gradients: dict = gradients) -> torch.Tensor:
            named = self._plain.named_parameters()
            gradients.update({name: each.grad.numpy().copy() for name, each in named if each.grad is not None})
            with torch.no_grad():
                for each in self._learning:
                    if each.grad is not None:
                        each -= STEP * each.grad
            return torch.isfinite(loss)

        def add(self: engine.Tally, parts: dict, finite: torch.Tensor, recorded=recorded, gradients=gradients) -> None:
            recorded.append(({name: float(part) for name, part in parts.items()}, dict(gradients)))
            kept_add(self, parts, finite)

        engine.Engine._step, engine.Tally.add, engine.gather_output = step, add, kept_gather
        if prepare is not None:
            prepare()
        assert fit.main(arguments) == 0
        last = checkpoints(Path(arguments[arguments.index("--out") + 1]) / "checkpoints")[0]
        weights = {
            f"{path.relative_to(last)}:{name}": tensor.numpy()
            for path in last.rglob("model.safetensors")
            for name, tensor in load_file(path).items()
        }
        found.append((recorded, weights))
    return found


def gather_detached() -> None:
    """What many write: the others' features without gradients, one's own put back."""
    import train.training.engine as engine
    from train.runtime.distributed import world_size

    whole = engine.gather_output

    def detached(output: ModelOutput) -> ModelOutput:
        gathered, process = whole(output), torch.distributed.get_rank()
        values = {}
        for each in fields(output):
            mine, all_of_them = getattr(output, each.name), getattr(gathered, each.name)
            if mine is not None:
                parts = list(all_of_them.detach().chunk(world_size()))
                parts[process] = mine
                values[each.name] = torch.cat(parts)
        return ModelOutput(**values)

    engine.gather_output = detached


EXACT = ("epochs=1", "batch_size=32", "text_config.dropout=0", "image_size=48")
VARIANTS = {
    "class-aware": (),
    "plain": ("nt_xent_class_aware=false",),
    "accumulated": ("accumulate=2",),
    "mixed": ("mix=0.7",),
}
WRONG = {"unsynchronised": (("sync_batchnorm=false",), None), "detached": ((), gather_detached)}


def runs(place: Path, processes: int) -> list[tuple[str, list[str], Callable[[], object] | None]]:
    common = [*("--config", str(place / "run.yaml"), "--cases", str(place / "cases"))]
    common += ["--notes", str(place / "notes.jsonl"), *settings(*EXACT, f"batch_size={32 // processes}")]
    wanted = {name: (more, None) for name, more in VARIANTS.items()} | (WRONG if processes > 1 else {})
    return [
        (name, [*common, *settings(*more), "--out", str(place / f"{name}-{processes}")], prepare)
        for name, (more, prepare) in wanted.items()
    ]


@pytest.fixture(scope="module")
def recorded(place: Path) -> dict[tuple[str, int], tuple[Recorded, dict[str, np.ndarray]]]:
    """By variant and rank; the one process alone is rank -1."""
    found = {}
    worlds = {
        processes: World(
            fit_recorded,
            [each[1:] for each in runs(place, processes)],
            processes=processes,
            output=place / f"output-{processes}",
        )
        for processes in (1, 2)
    }
    for processes, world in worlds.items():
        for rank, values in enumerate(world.values()):
            for (name, *_), value in zip(runs(place, processes), values, strict=True):
                found[name, rank if processes > 1 else -1] = value
    return found


def error(one: np.ndarray, other: np.ndarray, scale: float = 0.0) -> float:
    """Largest difference, as a share of the largest number (or of `scale`, if that is more)."""
    return float(np.abs(one - other).max() / max(np.abs(one).max(), scale))


def worst(alone: Recorded, one: Recorded, update: int) -> float:
    """The largest error of any parameter's gradient.

    Before a BatchNorm a bias gets no gradient in theory, so there a computer finds rounding alone: what is under a
    billionth of the largest gradient counts as nought.
    """
    gradients, theirs = alone[update][1], one[update][1]
    assert gradients.keys() == theirs.keys()
    scale = 1e-9 * max(np.abs(each).max() for each in gradients.values())
    return max(error(gradient, theirs[name], scale) for name, gradient in gradients.items())


@pytest.mark.parametrize("name", VARIANTS)
def test_two_of_16_are_one_of_32(name: str, recorded: dict) -> None:
    (alone, weights), (one, theirs), (other, _) = (recorded[name, rank] for rank in (-1, 0, 1))
    assert set(alone[0][0]) == {"ce_image", "ce_text", "l1", "cosine", "nt_xent", "total"}
    assert len(alone[0][1]) > 180  # parameters of both encoders and both heads
    assert len(alone) == len(one) == (1 if name == "accumulated" else 2)
    for update, (losses, _) in enumerate(alone):
        for part, value in losses.items():
            assert one[update][0][part] == pytest.approx(value, rel=CLOSE), part
        assert worst(alone, one, update) < CLOSE
        for parameter, gradient in one[update][1].items():
            np.testing.assert_array_equal(gradient, other[update][1][parameter], parameter)
    assert weights.keys() == theirs.keys()
    assert any(each.startswith("average/") for each in weights)
    errors = {each: error(weight, theirs[each], 1e-6) for each, weight in weights.items()}  # BatchNorm's too
    assert {each: value for each, value in errors.items() if value > CLOSE} == {}


def test_validation_counts_each_picture_once(place: Path, recorded: dict) -> None:
    alone, together = (read_log(place / f"plain-{processes}" / "log.jsonl")[0] for processes in (1, 2))
    assert alone["validation"]["image_loss"] > 0
    assert together["validation"] == pytest.approx(alone["validation"], rel=CLOSE)


@pytest.mark.parametrize("name", WRONG)
def test_what_many_do_wrong_would_be_found(name: str, recorded: dict) -> None:
    alone, one = recorded["class-aware", -1][0], recorded[name, 0][0]
    assert worst(alone, one, 0) > 100 * CLOSE
    assert one[0][0]["total"] == pytest.approx(alone[0][0]["total"], rel=CLOSE) or name == "unsynchronised"
