"""Two processes of 16 compute what one of 32 does: losses, gradients of every parameter, weights after updates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dermnote.models.joint_model import ModelOutput
from tests.training_worlds import Inputs, World, last_checkpoint, settings
from train.training.run_folder import read_log

pytestmark = pytest.mark.slow
TRAIN = [0, 0, 0, 1, 1, 2, 0, 1] * 8
VALIDATION = [0, 1, 2, 0, 1] * 7 + [0, 2]  # 37: with batches of 16 the shares differ, and the last batch is smaller
STEP = 0.01  # of plain gradient descent: Adam would amplify rounding wherever a gradient is 0 in theory
TOLERANCE = 1e-5  # largest difference of a gradient, relative to its largest element

Recorded = list[tuple[dict[str, float], dict[str, np.ndarray]]]


def fit_recorded(
    runs: list[tuple[list[str], Callable[[], object] | None]],
) -> list[tuple[Recorded, dict[str, np.ndarray]]]:
    """Train one run after another; return losses and gradients of each update, and the final weights."""
    import train.training.train_step as module
    from train import fit

    original_add, original_gather = module.EpochTotals.add, module.gather_output
    # In float32 rounding switches ReLUs near 0 and changes gradients by percents, so float32 is replaced by float64.
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double  # type: ignore[assignment,method-assign]
    results = []
    for arguments, prepare in runs:
        recorded: Recorded = []
        gradients: dict[str, np.ndarray] = {}

        def step(self: module.TrainStep, loss: torch.Tensor, gradients: dict = gradients) -> torch.Tensor:
            named = self._plain_model.named_parameters()
            gradients.update({name: each.grad.numpy().copy() for name, each in named if each.grad is not None})
            with torch.no_grad():
                for each in self._trainable:
                    if each.grad is not None:
                        each -= STEP * each.grad
            return torch.isfinite(loss)

        def add(
            self: module.EpochTotals, parts: dict, finite: torch.Tensor, recorded=recorded, gradients=gradients
        ) -> None:
            recorded.append(({name: float(part) for name, part in parts.items()}, dict(gradients)))
            original_add(self, parts, finite)

        module.TrainStep._optimizer_step, module.EpochTotals.add, module.gather_output = step, add, original_gather
        if prepare is not None:
            prepare()
        assert fit.main(arguments) == 0
        last = last_checkpoint(Path(arguments[arguments.index("--out") + 1]))
        weights = {
            f"{path.relative_to(last)}:{name}": tensor.numpy()
            for path in last.rglob("model.safetensors")
            for name, tensor in load_file(path).items()
        }
        results.append((recorded, weights))
    return results


def gather_detached() -> None:
    """A common mistake: the features of other processes come without gradients."""
    import train.training.train_step as module
    from train.runtime.distributed import world_size

    original = module.gather_output

    def detached(output: ModelOutput) -> ModelOutput:
        gathered, process = original(output), torch.distributed.get_rank()
        values = {}
        for field in fields(output):
            own, whole = getattr(output, field.name), getattr(gathered, field.name)
            if own is not None:
                parts = list(whole.detach().chunk(world_size()))
                parts[process] = own
                values[field.name] = torch.cat(parts)
        return ModelOutput(**values)

    module.gather_output = detached


EXACT = ("epochs=1", "text_config.dropout=0", "image_size=48")
VARIANTS = {
    "class-aware": (),
    "plain": ("nt_xent_class_aware=false",),
    "accumulated": ("accumulate=2",),
    "mixed": ("mix=0.7",),
}
WRONG = {"unsynchronised": (("sync_batchnorm=false",), None), "detached": ((), gather_detached)}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    folder, more = tmp_path_factory.mktemp("two"), "label_smoothing: 0.1\nema: 0.9\n"
    return Inputs.write(folder, TRAIN, VALIDATION, more, leave_out=range(0, 64, 7))


@pytest.fixture(scope="module")
def recorded(inputs: Inputs) -> dict[tuple[str, int], tuple[Recorded, dict[str, np.ndarray]]]:
    """By variant and rank; the single process is rank -1."""
    worlds, names = {}, {}
    for processes in (1, 2):
        variants = {name: (more, None) for name, more in VARIANTS.items()} | (WRONG if processes > 1 else {})
        names[processes] = list(variants)
        common = [*EXACT, f"batch_size={32 // processes}"]
        runs = [
            ([*inputs.arguments(inputs.folder / f"{name}-{processes}", *common), *settings(*more)], prepare)
            for name, (more, prepare) in variants.items()
        ]
        output = inputs.folder / f"output-{processes}"
        worlds[processes] = World(fit_recorded, runs, processes=processes, output=output)
    results = {}
    for processes, world in worlds.items():
        for rank, values in enumerate(world.values()):
            for name, value in zip(names[processes], values, strict=True):
                results[name, rank if processes > 1 else -1] = value
    return results


def error(one: np.ndarray, other: np.ndarray, scale: float = 0.0) -> float:
    """Largest difference, relative to the largest element (or to `scale`, if that is more)."""
    return float(np.abs(one - other).max() / max(np.abs(one).max(), scale))


def gradient_error(expected: Recorded, actual: Recorded, update: int) -> float:
    """Largest error of any parameter's gradient.

    A bias before a BatchNorm has no gradient in theory, only rounding: below a billionth of the largest gradient all
    counts as 0.
    """
    gradients, others = expected[update][1], actual[update][1]
    assert gradients.keys() == others.keys()
    scale = 1e-9 * max(np.abs(each).max() for each in gradients.values())
    return max(error(gradient, others[name], scale) for name, gradient in gradients.items())


@pytest.mark.parametrize("name", VARIANTS)
def test_two_processes_of_16_equal_one_of_32(name: str, recorded: dict) -> None:
    (single, weights), (first, its_weights), (second, _) = (recorded[name, rank] for rank in (-1, 0, 1))
    assert set(single[0][0]) == {"ce_image", "ce_text", "l1", "cosine", "nt_xent", "total"}
    assert len(single[0][1]) > 180  # parameters of both encoders and both heads
    assert len(single) == len(first) == (1 if name == "accumulated" else 2)
    for update, (losses, _) in enumerate(single):
        for part, value in losses.items():
            assert first[update][0][part] == pytest.approx(value, rel=TOLERANCE), part
        assert gradient_error(single, first, update) < TOLERANCE
        for parameter, gradient in first[update][1].items():
            np.testing.assert_array_equal(gradient, second[update][1][parameter], parameter)
    assert weights.keys() == its_weights.keys()
    assert any(each.startswith("average/") for each in weights)
    errors = {each: error(weight, its_weights[each], 1e-6) for each, weight in weights.items()}  # BatchNorm's too
    assert {each: value for each, value in errors.items() if value > TOLERANCE} == {}


def test_validation_counts_each_image_once(inputs: Inputs, recorded: dict) -> None:
    single, two = (read_log(inputs.folder / f"plain-{processes}" / "log.jsonl")[0] for processes in (1, 2))
    assert single["validation"]["image_loss"] > 0
    assert two["validation"] == pytest.approx(single["validation"], rel=TOLERANCE)


@pytest.mark.parametrize("name", WRONG)
def test_common_mistakes_would_be_found(name: str, recorded: dict) -> None:
    single, first = recorded["class-aware", -1][0], recorded[name, 0][0]
    assert gradient_error(single, first, 0) > 100 * TOLERANCE
    assert first[0][0]["total"] == pytest.approx(single[0][0]["total"], rel=TOLERANCE) or name == "unsynchronised"
