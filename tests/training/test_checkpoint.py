"""Checkpoints: round trip, damaged files, and a disk that is full before or during a run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from dermnote.config import DermNoteConfig
from dermnote.errors import BundleError, ConfigError
from dermnote.models.image_encoder import ImageEncoder
from dermnote.models.joint_model import DermNoteModel
from tests.training_worlds import Inputs, World, fit
from train import fit as step
from train.training.checkpoint import (
    MODEL,
    OPTIMIZER,
    STATE,
    Progress,
    check_disk_space,
    checkpoints,
    load_optimizer,
    load_progress,
    newest,
    save_checkpoint,
)
from train.training.optim import build_optimizer
from train.training.train_config import TrainConfig

CONFIG = DermNoteConfig(classnames=("a", "b"), embed_dim=4)
SETTINGS = TrainConfig(multimodal=False, optimizer="adamw", lr=1e-2)


def initial() -> tuple[DermNoteModel, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = DermNoteModel(ImageEncoder("mobilenet_v3_small", None, 32), None, 2, 4)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model, build_optimizer(model, SETTINGS, torch.device("cpu"))


def update(model: DermNoteModel, optimizer: torch.optim.Optimizer, count: int, seed: int) -> None:
    model.eval()  # no dropout and no batch statistics: only the optimizer has state
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        optimizer.zero_grad()
        out = model(pixel_values=torch.randn(4, 3, 32, 32, generator=generator))
        torch.nn.functional.cross_entropy(out.image_logits, torch.tensor([0, 1, 0, 1])).backward()
        optimizer.step()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    model, optimizer = initial()
    update(model, optimizer, 2, seed=1)
    progress = Progress(epoch=2, best_score=0.5, data="d")
    return save_checkpoint(tmp_path / "run", model, None, CONFIG, optimizer, progress)


def test_model_optimizer_and_progress_survive_a_round_trip(saved: Path) -> None:
    expected, optimizer = initial()
    update(expected, optimizer, 2, seed=1)
    update(expected, optimizer, 2, seed=2)
    progress = load_progress(saved)
    assert (progress.epoch, progress.best_score, progress.data) == (2, 0.5, "d")
    restored, _ = DermNoteModel.from_pretrained(saved / MODEL)
    restored = restored.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = build_optimizer(restored, SETTINGS, torch.device("cpu"))
    load_optimizer(saved, optimizer, progress)
    update(restored, optimizer, 2, seed=2)
    for (name, one), other in zip(expected.state_dict().items(), restored.state_dict().values(), strict=True):
        assert torch.equal(one, other), name
    assert {path.suffix for path in saved.rglob("*") if path.is_file()} == {".json", ".safetensors"}  # no code


def tear_state(saved: Path, progress: Progress) -> None:
    (saved / STATE).write_text((saved / STATE).read_text()[:-9])


def other_keys(saved: Path, progress: Progress) -> None:
    (saved / STATE).write_text('{"epoch": 2}')


def no_optimizer(saved: Path, progress: Progress) -> None:
    (saved / OPTIMIZER).unlink()


def other_groups(saved: Path, progress: Progress) -> None:
    progress.groups.pop()


@pytest.mark.parametrize("damage", [tear_state, other_keys, no_optimizer, other_groups])
def test_a_damaged_checkpoint_is_refused(saved: Path, damage: Callable[[Path, Progress], None]) -> None:
    progress = load_progress(saved)
    damage(saved, progress)
    with pytest.raises(BundleError) as caught:
        load_progress(saved)
        load_optimizer(saved, initial()[1], progress)
    assert "\n" not in str(caught.value)


def test_two_are_kept_and_the_older_replaces_a_damaged_one(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, optimizer = initial()
    update(model, optimizer, 1, seed=1)
    for progress in (Progress(epoch=2, update=7), Progress(epoch=3)):
        save_checkpoint(saved.parent, model, None, CONFIG, optimizer, progress)
    assert [path.name for path in checkpoints(saved.parent)] == ["00003-00000000", "00002-00000007"]
    whole = (checkpoints(saved.parent)[0] / OPTIMIZER).read_bytes()
    (checkpoints(saved.parent)[0] / OPTIMIZER).write_bytes(whole[: len(whole) // 2])
    found = newest(saved.parent)
    assert found is not None and (found[1].epoch, found[1].update) == (2, 7)
    (found[0] / STATE).unlink()
    with pytest.raises(BundleError):
        newest(saved.parent)
    assert newest(saved.parent / "nowhere") is None

    def fail(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("train.training.checkpoint.save_tensors", fail)
    with pytest.raises(OSError, match="no space"):
        save_checkpoint(saved.parent, model, None, CONFIG, optimizer, Progress(epoch=4))
    assert sorted(path.name for path in saved.parent.iterdir()) == ["00002-00000007", "00003-00000000"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return Inputs.write(tmp_path_factory.mktemp("disk"), [0, 1, 2] * 8, [0, 1, 2], "checkpoint_minutes: 1.0e-9\n")


def test_a_small_disk_is_refused_before_the_first_update(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_disk_space(tmp_path / "not" / "yet", 1)
    with pytest.raises(ConfigError, match="left"):
        check_disk_space(tmp_path / "not" / "yet", 10**18)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2e6))
    expected = r"has 0.00 GB left; this run's checkpoints take 0.0\d GB.*another disk"
    with pytest.raises(ConfigError, match=expected) as caught:
        step.main(inputs.arguments(tmp_path / "out"))
    assert "\n" not in str(caught.value)
    assert newest(tmp_path / "out" / "checkpoints") is None


def limit_file_size() -> None:
    """Limit the size of files from the second checkpoint on: a real error of a real write."""
    import resource

    import train.training.training_loop as module

    original, saved = module.save_checkpoint, []

    def save(*arguments: object) -> Path:
        saved.append(1)
        if len(saved) == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        return original(*arguments)  # type: ignore[arg-type]

    module.save_checkpoint = save


@pytest.mark.slow
def test_a_disk_that_fills_up_is_one_line_and_the_last_checkpoint_stays(inputs: Inputs, tmp_path: Path) -> None:
    out = tmp_path / "out"
    world = World(fit, inputs.arguments(out), limit_file_size, output=tmp_path / "printed")
    assert world.statuses() == [2], world.printed
    line = next(each for each in world.printed.replace("\r", "\n").splitlines() if each.startswith("error:"))
    assert f"The run in {out} was interrupted" in line and "File too large" in line
    assert "the last checkpoint is complete" in line and "Traceback" not in world.printed
    assert [path.name for path in (out / "checkpoints").iterdir()] == ["00000-00000001"]
    again = World(fit, [*inputs.arguments(out), "--resume"], output=tmp_path / "again")
    assert again.statuses() == [0], again.printed
    assert "Resuming after epoch 0, update 1" in again.printed
