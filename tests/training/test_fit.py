"""Whole runs on a few coloured squares (learning, resuming, fine-tuning, profiling, refusals), and the starter step."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dermnote import DermNote
from dermnote.errors import BundleError, CasesError, ConfigError, DermNoteError, NotesError
from dermnote.models.joint_model import DermNoteModel
from tests.places import REPOSITORY
from tests.tiny_cases import NAMES, write_cases, write_square_notes
from tests.training_worlds import Inputs, assert_same_weights, last_checkpoint
from train import fit, starter
from train.runtime import launch
from train.training import train_step
from train.training.checkpoint import checkpoints
from train.training.profiling import STAGES
from train.training.run_folder import load_run, read_log

pytestmark = pytest.mark.slow
TRAIN, VALIDATION = [0, 1, 2] * 6, [0, 1, 2] * 2


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return Inputs.write(tmp_path_factory.mktemp("fit"), TRAIN, VALIDATION)


@pytest.fixture(scope="module")
def finished(inputs: Inputs) -> Path:
    out = inputs.folder / "finished"
    assert fit.main(inputs.arguments(out, "epochs=3")) == 0
    return out


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {
        f"{path.parent.name}/{name}": tensor
        for path in sorted(folder.rglob("model.safetensors"))
        for name, tensor in load_file(path).items()
    }


def test_a_run_writes_its_files_and_publishes_the_best_epoch(finished: Path) -> None:
    names = {path.name for path in finished.iterdir() if not path.name.startswith(".")}
    assert names == {"best", "checkpoints", "config.yaml", "log.jsonl", "tensorboard"}
    assert [path.name for path in checkpoints(finished / "checkpoints")] == ["00003-00000000", "00002-00000000"]
    assert any((finished / "tensorboard").iterdir())
    rows = read_log(finished / "log.jsonl")
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert set(rows[0]["losses"]) == {"ce_image", "ce_text", "l1", "cosine", "nt_xent", "total"}
    assert {"kappa", "balanced_accuracy", "macro_f1"} <= set(rows[0]["validation"])
    assert rows[0]["lr"] > rows[-1]["lr"] > 0
    best = max(rows, key=lambda row: row["validation"]["macro_f1"])  # the first of equal ones
    assert json.loads((last_checkpoint(finished) / "state.json").read_text())["best_epoch"] == best["epoch"]
    run = load_run(finished)
    assert (run.config.classnames, run.config.strategies, run.config.sources) == (NAMES, ("m",), ("squares",))
    assert run.train_config.epochs == 3 and not run.model.training


def test_a_run_stopped_before_validation_resumes_to_the_same_weights(
    inputs: Inputs, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, original = tmp_path / "stopped", fit.Training._validate

    def interrupt(self: fit.Training, *rest: object) -> object:
        if self.progress.epoch == 1:
            raise KeyboardInterrupt
        return original(self, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(fit.Training, "_validate", interrupt)
        with pytest.raises(KeyboardInterrupt):  # in the second epoch, after its updates
            fit.main(inputs.arguments(out, "epochs=3"))
    torch.manual_seed(99)  # the initial state of a new process must not matter
    assert fit.main([*inputs.arguments(out, "epochs=3"), "--resume"]) == 0
    assert_same_weights(out, finished)
    losses = [[row["losses"] for row in read_log(run / "log.jsonl")] for run in (out, finished)]
    assert losses[0] == losses[1]


def test_an_existing_run_is_never_overwritten_and_a_finished_one_stays(
    inputs: Inputs, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in last_checkpoint(finished).glob("*") if path.is_file()}

    before = files()
    with pytest.raises(ConfigError, match="already holds a run"):
        fit.main(inputs.arguments(finished))
    with pytest.raises(ConfigError, match="trained with another lr"):
        fit.main([*inputs.arguments(finished, "epochs=3", "lr=0.5"), "--resume"])
    other = write_square_notes(tmp_path / "notes.jsonl", TRAIN[::-1])
    with pytest.raises(ConfigError, match="other cases or notes"):
        fit.main([*inputs.arguments(finished, "epochs=3"), "--resume", "--notes", str(other)])
    assert fit.main([*inputs.arguments(finished, "epochs=3"), "--resume"]) == 0
    assert "3 of 3" in (printed := capsys.readouterr().out) and "next: python -m train.evaluate --run" in printed
    assert files() == before


def test_a_few_images_are_memorised(inputs: Inputs, tmp_path: Path) -> None:
    settings = ("epochs=30", "patience=30", "lr=0.003", "augment=false", "mask_diagnosis=0")
    assert fit.main(inputs.arguments(tmp_path, *settings, "losses.l1=0", "losses.cosine=0")) == 0
    rows = read_log(tmp_path / "log.jsonl")
    late = sum(row["losses"]["ce_image"] for row in rows[-10:]) / 10  # batches of 8 are noisy
    assert late < 0.5 * rows[0]["losses"]["ce_image"]
    assert rows[-1]["losses"]["ce_text"] < rows[0]["losses"]["ce_text"]
    assert rows[-1]["validation"]["macro_f1"] > 0.8


def test_image_only_training_with_patience(inputs: Inputs, tmp_path: Path) -> None:
    settings = ("epochs=9", "patience=1", "lr=1e-12", "multimodal=false", "precision=bf16")
    assert fit.main(inputs.arguments(tmp_path, *settings, notes=False)) == 0
    run, rows = load_run(tmp_path), read_log(tmp_path / "log.jsonl")
    assert run.model.text_encoder is None and not run.config.multimodal
    assert set(rows[0]["losses"]) == {"ce_image", "total"}
    assert len(rows) < 9


def test_a_resumed_run_keeps_its_precision(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, settings = tmp_path / "moved", ("multimodal=false", "precision=auto")
    monkeypatch.setattr(launch, "_has_native_bf16", lambda: True)
    assert fit.main(inputs.arguments(out, *settings, "epochs=1", notes=False)) == 0
    assert "emulated" not in capsys.readouterr().out
    monkeypatch.setattr(launch, "_has_native_bf16", lambda: False)  # another machine
    assert fit.main([*inputs.arguments(out, *settings, "epochs=2", notes=False), "--resume"]) == 0
    assert load_run(out).train_config.precision == "bf16"
    assert "bf16 is emulated here" in capsys.readouterr().out
    assert fit.main(inputs.arguments(tmp_path / "new", *settings, "epochs=1", notes=False)) == 0
    assert load_run(tmp_path / "new").train_config.precision == "no"


def test_frozen_encoders_do_not_change(inputs: Inputs, finished: Path, tmp_path: Path) -> None:
    text = str(finished / "best")
    settings = ("freeze_image=true", "text_config=null", f"text_model={text}", "text_layers=0", "epochs=1")
    assert fit.main(inputs.arguments(tmp_path, *settings)) == 0
    model = last_checkpoint(tmp_path) / "model"
    before, after = weights(finished / "best" / "text_encoder"), weights(model / "text_encoder")
    assert all(torch.equal(before[name], after[name]) for name in before)
    config = load_run(tmp_path).train_config
    torch.manual_seed(config.seed)
    initial = fit.new_model(config, 3, ()).image_encoder.network.state_dict()
    final = load_file(model / "image_encoder" / "model.safetensors")
    assert all(torch.equal(initial[name], final[name]) for name in initial)  # BatchNorm statistics too


def test_fine_tuning_follows_the_bundle_and_adds_a_new_head(
    inputs: Inputs, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = write_cases(tmp_path / "own", TRAIN, VALIDATION, ("ash", "birch", "oak"))
    settings = ("backbone=densenet121", "image_size=64", "epochs=1", "lr=1e-9", "augment=false")
    words = [*inputs.arguments(tmp_path / "tuned", *settings), "--init-from", str(finished / "best")]
    assert fit.main([*words, "--cases", str(cases)]) == 0
    printed = capsys.readouterr().out
    assert "a new head is trained for ash, birch, oak" in printed
    assert "backbone shufflenet_v2_x0_5 (config: densenet121)" in printed
    tuned = load_run(tmp_path / "tuned")
    assert (tuned.train_config.backbone, tuned.train_config.image_size) == ("shufflenet_v2_x0_5", 32)
    before, _ = DermNoteModel.from_pretrained(finished / "best")
    close = {"atol": 1e-6, "rtol": 0}
    torch.testing.assert_close(before.image_projection.weight, tuned.model.image_projection.weight, **close)
    assert not torch.allclose(before.classifier.weight, tuned.model.classifier.weight, atol=1e-3)
    settings = ("epochs=1", "lr=1e-9", "multimodal=false")
    words = inputs.arguments(tmp_path / "same", *settings, notes=False)
    assert fit.main([*words, "--init-from", str(finished / "best")]) == 0
    same = load_run(tmp_path / "same").model  # same classes: the head stays; image only: no text branch
    torch.testing.assert_close(before.classifier.weight, same.classifier.weight, **close)
    assert same.text_encoder is None


def test_missing_classes_and_notes_are_reported_before_the_first_update(
    inputs: Inputs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = write_cases(tmp_path / "cases", [0, 0, 1, 1] * 2, [0, 1])
    notes = write_square_notes(tmp_path / "notes.jsonl", [0, 0, 1, 1] * 2, leave_out=[1, 5, 6])
    words = inputs.arguments(tmp_path / "out", "epochs=1")
    assert fit.main([*words, "--notes", str(notes), "--cases", str(cases)]) == 0
    printed = capsys.readouterr().out
    assert "No training case of vascular lesion" in printed
    assert "3 of 8 training cases have no note" in printed
    assert printed.index("No training case") < printed.index("epoch 1/1")


def test_a_run_that_cannot_start_is_refused_in_one_line(inputs: Inputs, tmp_path: Path) -> None:
    out, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    no_train = write_cases(tmp_path / "no_train", [], [0])
    no_validation = write_cases(tmp_path / "no_validation", [0], [])
    no_notes = write_square_notes(tmp_path / "none.jsonl", [])
    no_model = inputs.arguments(out, "text_config=null", f"text_model={empty}", "text_layers=0")
    for error, match, words in (
        (ConfigError, "needs --notes", inputs.arguments(out, notes=False)),
        (CasesError, "A run needs some to", [*inputs.arguments(out), "--cases", str(no_train)]),
        (CasesError, "A run needs some to", [*inputs.arguments(out), "--cases", str(no_validation)]),
        (CasesError, "not there", [*inputs.arguments(out), "--cases", str(tmp_path / "nowhere")]),
        (NotesError, "no note of strategy m", [*inputs.arguments(out), "--notes", str(no_notes)]),
        (ConfigError, "fp16 needs a GPU", inputs.arguments(out, "precision=fp16")),
        (ConfigError, "text_model=FOLDER", no_model),
    ):
        assert not out.exists()
        with pytest.raises(error, match=match) as caught:
            fit.main(words)
        assert "\n" not in str(caught.value)


def test_a_non_finite_loss_is_skipped_and_a_lost_run_ends(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    original, calls = train_step.total, []

    def nan_once(*arguments: object) -> torch.Tensor:
        calls.append(1)
        return original(*arguments) * (float("nan") if len(calls) == 2 else 1.0)  # type: ignore[arg-type]

    monkeypatch.setattr(train_step, "total", nan_once)
    assert fit.main(inputs.arguments(tmp_path / "once", "epochs=1")) == 0
    assert "1 updates skipped" in capsys.readouterr().out
    assert all(tensor.isfinite().all() for tensor in weights(tmp_path / "once" / "best").values())
    monkeypatch.setattr(train_step, "total", lambda *rest: original(*rest) * float("nan"))
    with pytest.raises(DermNoteError, match=r"2 updates in a row had no finite loss.*squares/train-"):
        fit.main(inputs.arguments(tmp_path / "always", "epochs=1"))


def test_a_profile_names_the_largest_costs(inputs: Inputs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = inputs.arguments(tmp_path / "out", "epochs=1", "ema=0.9", "batch_size=2")
    assert fit.main([*words, "--profile"]) == 0  # 9 updates
    printed = capsys.readouterr().out
    trace = json.loads((tmp_path / "out" / "profile" / "trace.json").read_text())
    names = [event.get("name") for event in trace["traceEvents"]]
    assert all(names.count(stage) >= 5 for stage in STAGES)
    assert "Profile of updates 5 to 9:" in printed
    costs = re.findall(r"^  [123]\. .*: (\d+)% of the time, \d+ calls", printed, re.MULTILINE)
    assert len(costs) == 3 and sorted(map(int, costs), reverse=True) == list(map(int, costs))
    stages = dict(re.findall(r"(\w+) (\d+)%", next(line for line in printed.splitlines() if "stages:" in line)))
    assert set(stages) == set(STAGES) and 95 <= sum(map(int, stages.values())) <= 105
    words = inputs.arguments(tmp_path / "short", "epochs=1")
    assert fit.main([*words, "--profile"]) == 0  # 2 updates
    assert "--profile saw 2 updates and needs 5: no trace was written." in capsys.readouterr().out
    assert not (tmp_path / "short" / "profile").exists()


def test_the_starter_step_builds_a_bundle_that_loads(tmp_path: Path) -> None:
    smoke = str(REPOSITORY / "train" / "configs" / "smoke.yaml")
    small = ["--drawn", "96", "--fresh", "40", "--config", smoke, "--set", "epochs=1"]
    small += ["--set", "backbone=mobilenet_v3_small"]
    out = tmp_path / "starter"
    assert starter.main([*small, "--work", str(tmp_path / "work"), "--out", str(out)]) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["splits"]["external"]["all"]["n_cases"] == 40
    assert set(metrics["splits"]) == {"test", "external"}
    model = DermNote.from_pretrained(out)
    assert {hit.source for hit in model.find_images("dots", k=3)} == {"drawn"}


def test_a_starter_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starter, "SIZE_LIMIT", 10)
    with pytest.raises(BundleError, match="over"):
        starter.check_size(REPOSITORY / "tests")
