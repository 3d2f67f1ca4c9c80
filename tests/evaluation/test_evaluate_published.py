"""A published model evaluated on cases it was not made with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dermnote.errors import BundleError, HubError
from dermnote.hub import push
from dermnote.hub.manifest import verify_manifest
from dermnote.models.novelty import KnownImages
from tests.servers.hub_server import WRITE_TOKEN, running_hub
from train import evaluate, prepare


@pytest.fixture
def argv(bundle_folder: Path, cases_folder: Path, notes_file: Path, tmp_path: Path) -> list[str]:
    cases = ["--cases", str(cases_folder), "--notes", str(notes_file), "--bootstrap", "20"]
    return ["--model", str(bundle_folder), *cases, "--out", str(tmp_path / "found")]


@pytest.mark.slow
def test_a_bundle_has_the_figures_of_its_run(
    argv: list[str], run_folder: Path, bundle_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate.main(argv) == 0
    got, own = (json.loads((each / "metrics.json").read_text()) for each in (tmp_path / "found", run_folder))
    assert got["run"] == str(bundle_folder) and got["seed"] == own["seed"] and own["published"] is None
    theirs, ours = (each["splits"]["test"]["all"] for each in (got, own))
    assert ours["n_cases"] >= 16 and ours["retrieval"]["without_note"] == 0
    assert 0 < ours["retrieval"]["masked"]["text_to_image"]["map"] <= 1
    for name in ("classification", "zero_shot"):
        for value in ("kappa", "balanced_accuracy", "macro_auroc"):
            assert theirs[name][value] == pytest.approx(ours[name][value])
    assert theirs["linear_probe"].keys() == ours["linear_probe"].keys()
    for way, found in theirs["retrieval"]["masked"].items():
        assert found["map"] == pytest.approx(ours["retrieval"]["masked"][way]["map"])
    out = capsys.readouterr().out
    assert "next:" not in out  # nothing is built from a published model
    for text in (out, *((tmp_path / "found" / name).read_text() for name in ("report.md", "report.html"))):
        assert "was trained on drawn too" in text
    verify_manifest(bundle_folder)


def test_the_distance_is_to_the_images_in_the_bundle(argv: list[str], bundle_folder: Path, tmp_path: Path) -> None:
    evaluate.main([*argv, "--quick"])
    known = KnownImages.load(bundle_folder, json.loads((bundle_folder / "config.json").read_text())["fingerprint"])
    assert known is not None and not (tmp_path / "found" / "known.safetensors").exists()
    block = json.loads((tmp_path / "found" / "metrics.json").read_text())["splits"]["test"]["all"]
    assert block["selective"]["far"]["threshold"] == pytest.approx(float(known.percentiles[95]))
    table = pd.read_parquet(tmp_path / "found" / "predictions.parquet")
    assert np.isfinite(table["distance"]).all()


def test_an_external_set_needs_neither_notes_nor_training_cases(
    bundle_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = tmp_path / "cases"
    assert prepare.main(["drawn=40,seed=9", "--external", "drawn", "--out", str(cases)]) == 0
    argv = ["--model", str(bundle_folder), "--cases", str(cases), "--out", str(tmp_path / "new" / "found")]
    assert evaluate.main([*argv, "--bootstrap", "20"]) == 0
    found = json.loads((tmp_path / "new" / "found" / "metrics.json").read_text())["splits"]
    assert list(found) == ["external"] and found["external"]["all"]["n_cases"] == 40
    assert found["external"]["all"]["selective"]["far"] and found["external"]["all"]["linear_probe"] is None


@pytest.mark.slow
def test_a_model_on_the_hub_is_named_with_its_commit(
    argv: list[str], bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
        commit = push(bundle_folder, "org/name", token=WRITE_TOKEN).commit
        assert evaluate.main(["--model", "org/name", "--revision", commit, *argv[2:], "--quick"]) == 0
        with pytest.raises(HubError, match="revision"):
            evaluate.main(["--model", "org/name", "--revision", "0" * 40, *argv[2:]])
    found = json.loads((tmp_path / "found" / "metrics.json").read_text())
    assert (found["run"], found["published"]["revision"]) == ("org/name", commit)
    for name in ("report.md", "report.html"):
        assert f"The model is that of commit {commit}." in (tmp_path / "found" / name).read_text()
    assert not list((tmp_path / "cache").rglob("*.faiss"))  # no search among published cases, so no index


def test_figures_of_a_bundle_or_a_run_are_never_replaced(
    argv: list[str], bundle_folder: Path, run_folder: Path
) -> None:
    own = (run_folder / "metrics.json").read_bytes()
    for folder, what in ((bundle_folder, "bundle"), (run_folder, "training run")):
        with pytest.raises(BundleError, match=f"is a {what}, with figures of its own"):
            evaluate.main([*argv[:-1], str(folder)])
    verify_manifest(bundle_folder)
    assert (run_folder / "metrics.json").read_bytes() == own


@pytest.mark.parametrize(
    "argv",
    [
        ["--model", "a", "--cases", "b"],
        ["--run", "a", "--cases", "b", "--out", "c"],
        ["--run", "a", "--cases", "b", "--revision", "main"],
        ["--cases", "b"],
    ],
)
def test_contradicting_options_are_refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        evaluate.main(argv)
    assert stop.value.code == 2
    assert "Traceback" not in capsys.readouterr().err
