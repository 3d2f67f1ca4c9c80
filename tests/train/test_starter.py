"""The step that makes the embedded starter, on a handful of drawn lesions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dermnote import DermNote
from tests.conftest import REPOSITORY
from train import starter


def test_the_whole_way_makes_a_bundle_that_loads(tmp_path: Path) -> None:
    smoke = str(REPOSITORY / "train" / "configs" / "smoke.yaml")
    small = [
        "--drawn",
        "96",
        "--fresh",
        "40",
        "--config",
        smoke,
        "--set",
        "epochs=1",
        "--set",
        "backbone=mobilenet_v3_small",
    ]
    out = tmp_path / "starter"
    assert starter.main([*small, "--work", str(tmp_path / "work"), "--out", str(out)]) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["splits"]["external"]["all"]["n_cases"] == 40
    assert set(metrics["splits"]) == {"test", "external"}
    model = DermNote.from_pretrained(out)
    assert {hit.source for hit in model.find_images("dots", k=3)} == {"drawn"}


def test_a_model_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dermnote.errors import BundleError

    monkeypatch.setattr(starter, "SIZE_LIMIT", 10)
    with pytest.raises(BundleError, match="over"):
        starter.check_size(REPOSITORY / "tests")
