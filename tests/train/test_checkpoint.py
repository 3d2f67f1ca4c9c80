"""The state of a run between epochs: what goes in comes out, and a fault is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dermnote.config import DermNoteConfig
from dermnote.errors import BundleError
from dermnote.models.image_encoder import ImageEncoder
from dermnote.models.joint_model import DermNoteModel
from train.training.checkpoint import (
    MODEL,
    OPTIMIZER,
    STATE,
    Progress,
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


def start() -> tuple[DermNoteModel, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = DermNoteModel(ImageEncoder("mobilenet_v3_small", None, 32), None, 2, 4)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model, build_optimizer(model, SETTINGS, torch.device("cpu"))


def steps(model: DermNoteModel, optimizer: torch.optim.Optimizer, count: int, seed: int) -> None:
    model.eval()  # no dropout, no batch statistics: the optimizer alone is looked at
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        optimizer.zero_grad()
        out = model(pixel_values=torch.randn(4, 3, 32, 32, generator=generator))
        torch.nn.functional.cross_entropy(out.image_logits, torch.tensor([0, 1, 0, 1])).backward()
        optimizer.step()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    model, optimizer = start()
    steps(model, optimizer, 2, seed=1)
    return save_checkpoint(
        tmp_path / "run", model, None, CONFIG, optimizer, Progress(epoch=2, best_score=0.5, data="d")
    )


def test_a_model_and_its_optimizer_go_on_as_if_never_stopped(saved: Path) -> None:
    through, optimizer = start()
    steps(through, optimizer, 2, seed=1)
    steps(through, optimizer, 2, seed=2)

    stopped, _ = DermNoteModel.from_pretrained(saved / MODEL)
    stopped = stopped.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = build_optimizer(stopped, SETTINGS, torch.device("cpu"))
    load_optimizer(saved, optimizer, load_progress(saved))
    steps(stopped, optimizer, 2, seed=2)
    for (name, one), other in zip(through.state_dict().items(), stopped.state_dict().values(), strict=True):
        assert torch.equal(one, other), name


def test_progress_comes_back(saved: Path) -> None:
    progress = load_progress(saved)
    assert (progress.epoch, progress.best_score, progress.data) == (2, 0.5, "d")


def test_no_file_holds_code(saved: Path) -> None:
    kinds = {path.suffix for path in saved.rglob("*") if path.is_file()}
    assert kinds == {".json", ".safetensors"}


@pytest.mark.parametrize("fault", ["torn state", "other keys", "no optimizer", "other groups"])
def test_a_damaged_checkpoint_is_refused(saved: Path, fault: str) -> None:
    path = saved / STATE
    if fault == "torn state":
        path.write_text(path.read_text()[:-9])
    if fault == "other keys":
        path.write_text('{"epoch": 2}')
    if fault == "no optimizer":
        (saved / OPTIMIZER).unlink()
    _, optimizer = start()
    with pytest.raises(BundleError) as caught:
        progress = load_progress(saved)
        if fault == "other groups":
            progress.groups.pop()
        load_optimizer(saved, optimizer, progress)
    assert "\n" not in str(caught.value)


def test_the_last_two_are_kept_and_the_older_stands_in_for_a_damaged_one(saved: Path) -> None:
    model, optimizer = start()
    steps(model, optimizer, 1, seed=1)
    for progress in (Progress(epoch=2, update=7), Progress(epoch=3)):
        save_checkpoint(saved.parent, model, None, CONFIG, optimizer, progress)
    assert [path.name for path in checkpoints(saved.parent)] == ["00003-00000000", "00002-00000007"]
    whole = (checkpoints(saved.parent)[0] / OPTIMIZER).read_bytes()
    (checkpoints(saved.parent)[0] / OPTIMIZER).write_bytes(whole[: len(whole) // 2])
    found = newest(saved.parent)
    assert found is not None
    assert (found[1].epoch, found[1].update) == (2, 7)
    (found[0] / STATE).unlink()
    with pytest.raises(BundleError):
        newest(saved.parent)
    assert newest(saved.parent / "nowhere") is None


def test_a_failed_write_leaves_the_one_before(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, optimizer = start()

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("train.training.checkpoint.save_tensors", full)
    with pytest.raises(OSError, match="no space"):
        save_checkpoint(saved.parent, model, None, CONFIG, optimizer, Progress(epoch=3))
    assert load_progress(saved).epoch == 2
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
