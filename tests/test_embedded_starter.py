"""The bundle that travels with the package: small, whole, drawn lesions only, and good at drawn lesions."""

from __future__ import annotations

from pathlib import Path

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
    """Two drawn lesions a class, of a seed that neither its training nor its figures used."""
    return list(drawn.read("16,seed=20260"))


def test_it_is_whole_and_under_twelve_megabytes() -> None:
    verify_manifest(STARTER)
    assert sum(path.stat().st_size for path in STARTER.rglob("*") if path.is_file()) < 12_000_000


def test_it_shows_drawn_lesions_only_and_says_so(starter: DermNote) -> None:
    sources = {hit.source for hit in starter.find_images("pigment network", k=len(starter.index))}
    assert sources == {"drawn"}
    assert "drawn" in starter.config.gallery


def test_it_reads_drawn_lesions_it_never_saw(starter: DermNote, unseen: list) -> None:
    right = [starter.classify(case.picture())[0].label == case.label for case in unseen]
    assert sum(right) >= 14, f"{sum(right)} of {len(right)}"


def test_findings_alone_lead_to_pictures_of_the_class(starter: DermNote, unseen: list) -> None:
    found = [hit.label == case.label for case in unseen for hit in starter.find_images(case.description, k=5)]
    assert sum(found) >= 0.8 * len(found)


def test_its_figures_on_fresh_drawn_lesions_meet_the_mark(starter: DermNote) -> None:
    block = starter.metrics["splits"]["external"]["all"]
    assert block["classification"]["kappa"] >= 0.90
    for version in ("masked", "as_written"):
        for way in ("image_to_text", "text_to_image"):
            assert block["retrieval"][version][way]["map"] >= 0.90, (version, way)


def test_its_card_names_every_source_and_the_licence() -> None:
    card = Path(STARTER / "README.md").read_text(encoding="utf-8")
    assert "license: cc-by-nc-4.0" in card
    for source in ("drawn", "milk10k", "ham10000", "pad_ufes_20", "isic2017"):
        assert source in card
    assert "never a diagnosis" in card
