"""The step that builds the embedded starter, on a few synthetic lesions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dermnote import DermNote
from dermnote.errors import BundleError
from tests.places import REPOSITORY
from train import starter


@pytest.mark.slow
def test_the_step_builds_a_bundle_that_loads(tmp_path: Path) -> None:
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


def test_a_bundle_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starter, "SIZE_LIMIT", 10)
    with pytest.raises(BundleError, match="over"):
        starter.check_size(REPOSITORY / "tests")
