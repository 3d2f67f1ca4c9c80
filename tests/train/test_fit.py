"""Whole runs on a few coloured squares: learning, going on after a stop, fine-tuning, and clear refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_cases import NAMES, write_cases, write_settings, write_square_notes

from dermnote.errors import CasesError, ConfigError, DermNoteError, NotesError
from dermnote.models.joint_model import DermNoteModel
from train import fit
from train.training import devices
from train.training.checkpoint import checkpoints
from train.training.run_folder import load_run
from train.training.run_log import read_log

TRAIN, VALIDATION = [0, 1, 2] * 6, [0, 1, 2] * 2


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fit")
    write_cases(folder / "cases", TRAIN, VALIDATION)
    write_square_notes(folder / "notes.jsonl", TRAIN)
    write_settings(folder / "run.yaml")
    return folder


def train(place: Path, out: Path, *more: str, notes: bool = True, cases: Path | None = None) -> int:
    arguments = ["--config", str(place / "run.yaml"), "--cases", str(cases or place / "cases"), "--out", str(out)]
    return fit.main([*arguments, *(["--notes", str(place / "notes.jsonl")] if notes else []), *more])


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {
        f"{path.parent.name}/{name}": tensor
        for path in sorted(folder.rglob("model.safetensors"))
        for name, tensor in load_file(path).items()
    }


def last(run: Path) -> Path:
    return checkpoints(run / "checkpoints")[0]


@pytest.fixture(scope="module")
def finished(place: Path) -> Path:
    out = place / "finished"
    assert train(place, out, "--set", "epochs=3") == 0
    return out


def test_a_run_leaves_all_its_files(finished: Path) -> None:
    names = {path.name for path in finished.iterdir() if not path.name.startswith(".")}
    assert names == {"best", "checkpoints", "config.yaml", "log.jsonl", "tensorboard"}
    assert [path.name for path in checkpoints(finished / "checkpoints")] == ["00003-00000000", "00002-00000000"]
    rows = read_log(finished / "log.jsonl")
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert set(rows[0]["losses"]) == {"ce_image", "ce_text", "l1", "cosine", "nt_xent", "total"}
    assert {"kappa", "balanced_accuracy", "macro_f1"} <= set(rows[0]["validation"])
    assert rows[0]["lr"] > rows[-1]["lr"] > 0
    assert any((finished / "tensorboard").iterdir())


def test_the_best_epoch_is_the_one_published(finished: Path) -> None:
    run = load_run(finished)
    rows = read_log(finished / "log.jsonl")
    best = max(rows, key=lambda row: row["validation"]["macro_f1"])  # the first of equals
    assert json.loads((last(finished) / "state.json").read_text())["best_epoch"] == best["epoch"]
    assert run.config.classnames == NAMES
    assert run.config.strategies == ("m",)
    assert run.config.sources == ("squares",)
    assert run.train_config.epochs == 3
    assert not run.model.training


def test_a_run_that_goes_on_ends_as_one_that_never_stopped(
    place: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "stopped"
    kept = fit.Training._finish_epoch

    def pull_the_plug(self: fit.Training, *rest: object) -> None:
        if self.progress.epoch == 1:
            raise KeyboardInterrupt
        kept(self, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(fit.Training, "_finish_epoch", pull_the_plug)
    with pytest.raises(KeyboardInterrupt):  # in the second epoch, after its training
        train(place, out, "--set", "epochs=3")
    monkeypatch.undo()
    torch.manual_seed(99)  # what a new process starts with must not matter
    assert train(place, out, "--set", "epochs=3", "--resume") == 0
    for one, other in (
        (weights(last(finished)), weights(last(out))),
        (weights(finished / "best"), weights(out / "best")),
    ):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert [row["losses"] for row in read_log(out / "log.jsonl")] == [
        row["losses"] for row in read_log(finished / "log.jsonl")
    ]


def test_a_run_is_never_written_over(place: Path, finished: Path) -> None:
    before = (last(finished) / "state.json").read_bytes()
    with pytest.raises(ConfigError, match="already holds a run"):
        train(place, finished)
    with pytest.raises(ConfigError, match="trained with another lr"):
        train(place, finished, "--set", "epochs=3", "--set", "lr=0.5", "--resume")
    assert (last(finished) / "state.json").read_bytes() == before


def test_other_notes_do_not_go_on(place: Path, finished: Path, tmp_path: Path) -> None:
    other = write_square_notes(tmp_path / "notes.jsonl", TRAIN[::-1])
    with pytest.raises(ConfigError, match="other cases or notes"):
        train(place, finished, "--set", "epochs=3", "--resume", "--notes", str(other))


def test_a_finished_run_has_nothing_left_to_do(place: Path, finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = weights(last(finished))
    assert train(place, finished, "--set", "epochs=3", "--resume") == 0
    assert "3 of 3" in capsys.readouterr().out
    after = weights(last(finished))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_few_squares_are_learnt_by_heart(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "overfit"
    settings = (
        "epochs=30",
        "patience=30",
        "lr=0.003",
        "augment=false",
        "mask_diagnosis=0",
        "losses.l1=0",
        "losses.cosine=0",
    )
    assert train(place, out, *(word for setting in settings for word in ("--set", setting))) == 0
    rows = read_log(out / "log.jsonl")
    late = sum(row["losses"]["ce_image"] for row in rows[-10:]) / 10  # a batch of 8 is noisy
    assert late < 0.5 * rows[0]["losses"]["ce_image"]
    assert rows[-1]["losses"]["ce_text"] < rows[0]["losses"]["ce_text"]
    assert rows[-1]["validation"]["macro_f1"] > 0.8


def test_pictures_alone_in_one_process_after_notes_and_in_another_precision(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "alone"
    settings = ("multimodal=false", "precision=bf16", "epochs=1")
    assert train(place, out, *(word for each in settings for word in ("--set", each)), notes=False) == 0
    run = load_run(out)
    assert run.model.text_encoder is None
    assert not run.config.multimodal
    assert set(read_log(out / "log.jsonl")[0]["losses"]) == {"ce_image", "total"}


def test_a_run_goes_on_in_the_precision_it_began_in(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, asked = tmp_path / "moved", ("--set", "multimodal=false", "--set", "precision=auto")
    monkeypatch.setattr(devices, "_computes_in_bf16", lambda: True)
    assert train(place, out, *asked, "--set", "epochs=1", notes=False) == 0
    assert load_run(out).train_config.precision == "bf16"
    assert "imitated" not in capsys.readouterr().out
    monkeypatch.setattr(devices, "_computes_in_bf16", lambda: False)  # another machine
    assert train(place, out, *asked, "--set", "epochs=2", "--resume", notes=False) == 0
    assert load_run(out).train_config.precision == "bf16"
    assert "bf16 is imitated here" in capsys.readouterr().out
    assert train(place, tmp_path / "new", *asked, "--set", "epochs=1", notes=False) == 0
    assert load_run(tmp_path / "new").train_config.precision == "no"


def test_patience_ends_a_run(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "patient"
    settings = ("epochs=9", "patience=1", "lr=1e-12", "multimodal=false")
    assert train(place, out, *(word for each in settings for word in ("--set", each)), notes=False) == 0
    assert len(read_log(out / "log.jsonl")) < 9


def test_a_frozen_text_encoder_and_backbone_do_not_move(place: Path, finished: Path, tmp_path: Path) -> None:
    text = str(finished / "best")
    settings = ("freeze_image=true", "text_config=null", f"text_model={text}", "text_layers=0", "epochs=1")
    out = tmp_path / "frozen"
    assert train(place, out, *(word for each in settings for word in ("--set", each))) == 0
    theirs, ours = weights(finished / "best" / "text_encoder"), weights(last(out) / "model" / "text_encoder")
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs)
    config = load_run(out).train_config
    torch.manual_seed(config.seed)
    fresh = fit.new_model(config, 3, ()).image_encoder.network.state_dict()
    kept = load_file(last(out) / "model" / "image_encoder" / "model.safetensors")
    assert all(torch.equal(fresh[name], kept[name]) for name in fresh)  # BatchNorm statistics too


def test_fine_tuning_follows_the_bundle_and_makes_a_new_head(
    place: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = write_cases(tmp_path / "own", TRAIN, VALIDATION, ("ash", "birch", "oak"))
    out = tmp_path / "tuned"
    settings = ("backbone=densenet121", "image_size=64", "epochs=1", "lr=1e-9", "augment=false")
    more = [word for each in settings for word in ("--set", each)]
    assert train(place, out, *more, "--init-from", str(finished / "best"), cases=cases) == 0
    said = capsys.readouterr().out
    assert "the head starts anew for ash, birch, oak" in said
    assert "backbone shufflenet_v2_x0_5 (config: densenet121)" in said
    assert (load_run(out).train_config.backbone, load_run(out).train_config.image_size) == ("shufflenet_v2_x0_5", 32)
    before, _ = DermNoteModel.from_pretrained(finished / "best")
    after = load_run(out).model
    torch.testing.assert_close(before.image_projection.weight, after.image_projection.weight, atol=1e-6, rtol=0)
    assert not torch.allclose(before.classifier.weight, after.classifier.weight, atol=1e-3)


def test_fine_tuning_with_the_same_classes_keeps_the_head(place: Path, finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "same"
    settings = ("epochs=1", "lr=1e-9", "multimodal=false")
    more = [word for each in settings for word in ("--set", each)]
    assert train(place, out, *more, "--init-from", str(finished / "best"), notes=False) == 0
    before, _ = DermNoteModel.from_pretrained(finished / "best")
    torch.testing.assert_close(before.classifier.weight, load_run(out).model.classifier.weight, atol=1e-6, rtol=0)
    assert load_run(out).model.text_encoder is None


def test_what_is_missing_is_said_before_the_first_step(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = write_cases(tmp_path / "cases", [0, 0, 1, 1] * 2, [0, 1])
    notes = write_square_notes(tmp_path / "notes.jsonl", [0, 0, 1, 1] * 2, leave_out=[1, 5, 6])
    more = ("--set", "epochs=1", "--notes", str(notes))
    assert train(place, tmp_path / "out", *more, cases=cases) == 0
    said = capsys.readouterr().out
    assert "No training case of vascular lesion" in said
    assert "3 of 8 training cases have no note" in said
    assert said.index("No training case") < said.index("epoch 1/1")


def test_runs_that_cannot_start_say_why(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="needs --notes"):
        train(place, out, notes=False)
    for train_kinds, validation in (([], [0]), ([0], [])):
        cases = write_cases(tmp_path / f"{len(train_kinds)}", train_kinds, validation)
        with pytest.raises(CasesError, match="A run needs some to"):
            train(place, out, cases=cases)
    with pytest.raises(CasesError, match="not there"):
        train(place, out, cases=tmp_path / "nowhere")
    empty = write_square_notes(tmp_path / "none.jsonl", [])
    with pytest.raises(NotesError, match="no note of strategy m"):
        train(place, out, "--notes", str(empty))
    with pytest.raises(ConfigError, match="fp16 needs a GPU"):
        train(place, out, "--set", "precision=fp16")
    assert not out.exists()


def test_a_text_model_out_of_reach_is_one_line(place: Path, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    settings = ("text_config=null", f"text_model={folder}", "text_layers=0")
    with pytest.raises(ConfigError, match="text_model=FOLDER") as caught:
        train(place, tmp_path / "out", *(word for each in settings for word in ("--set", each)))
    assert "\n" not in str(caught.value)


def test_a_loss_that_is_not_finite_is_skipped_and_a_lost_run_says_so(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import train.training.engine as engine

    sound, calls = engine.total, []

    def sometimes(*arguments: object) -> torch.Tensor:
        calls.append(1)
        return sound(*arguments) * (float("nan") if len(calls) == 2 else 1.0)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "total", sometimes)
    assert train(place, tmp_path / "once", "--set", "epochs=1") == 0
    assert "1 steps skipped" in capsys.readouterr().out
    assert all(tensor.isfinite().all() for tensor in weights(tmp_path / "once" / "best").values())
    monkeypatch.setattr(engine, "total", lambda *rest: sound(*rest) * float("nan"))
    with pytest.raises(DermNoteError, match=r"2 updates in a row had no finite loss.*squares/train-"):
        train(place, tmp_path / "always", "--set", "epochs=1")
