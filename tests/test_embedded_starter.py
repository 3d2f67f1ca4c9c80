"""The embedded starter: complete, small, made of drawn lesions, and able to read unseen ones."""

from __future__ import annotations

import pytest

from dermnote import DermNote
from dermnote.hub.bundle import STARTER
from dermnote.hub.manifest import verify_manifest
from train.data.sources import drawn


@pytest.fixture(scope="module")
def starter() -> DermNote:
    return DermNote.from_pretrained()


@pytest.fixture(scope="module")
def unseen() -> list:
    """Two drawn lesions of each class, of a seed used neither for training nor for evaluation."""
    return list(drawn.read("16,seed=20260"))


def test_the_bundle_is_complete_and_small(starter: DermNote) -> None:
    verify_manifest(STARTER)
    assert sum(path.stat().st_size for path in STARTER.rglob("*") if path.is_file()) < 12_000_000
    for source in (*starter.config.sources, f"license: {starter.config.licence}", "never a diagnosis"):
        assert source in starter.card
    assert set(starter.index.table["source"]) == {"drawn"} and "drawn" in starter.config.gallery


@pytest.mark.slow
def test_unseen_drawn_lesions_are_classified_and_retrieved(starter: DermNote, unseen: list) -> None:
    correct = [starter.classify(case.picture())[0].label == case.label for case in unseen]
    assert sum(correct) >= 0.8 * len(correct)
    hits = [hit.label == case.label for case in unseen for hit in starter.find_images(case.description, k=5)]
    assert sum(hits) >= 0.8 * len(hits)
