"""How far a picture lies from known ones, against a naive version; and the file that a bundle keeps it in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from dermnote.errors import BundleError
from dermnote.models.novelty import KNOWN, KnownPictures, distances


def units(rows: int, seed: int, width: int = 16) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def known() -> KnownPictures:
    vectors, percentiles = units(40, 0), np.linspace(0.1, 0.6, 101, dtype=np.float32)
    return KnownPictures(vectors, percentiles)


@pytest.mark.parametrize("size", [1, 3, 30])
def test_the_distance_is_the_mean_of_the_five_nearest(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    queries, vectors = units(17, 1), units(size, 2)
    naive = [np.mean(sorted(1 - vectors @ each)[:5]) for each in queries]
    np.testing.assert_allclose(distances(queries, vectors), naive, atol=1e-6)
    monkeypatch.setattr("dermnote.models.novelty.BLOCK", 4)
    np.testing.assert_allclose(distances(queries, vectors), naive, atol=1e-6)


def test_a_known_picture_is_near_and_an_opposite_one_is_far(known: KnownPictures) -> None:
    same = KnownPictures(np.repeat(units(1, 3), 9, axis=0), known.percentiles)
    near, opposite = same.novelty(same.vectors[0]), same.novelty(-same.vectors[0])
    assert near.distance == pytest.approx(0, abs=1e-6) and near.nearer == 0 and not near.far
    assert opposite.distance == pytest.approx(2, abs=1e-6) and opposite.nearer == 1 and opposite.far


def test_the_share_that_lies_nearer_is_read_off_the_percentiles(known: KnownPictures) -> None:
    found = known.novelty(units(1, 9)[0])
    assert found.threshold == pytest.approx(known.percentiles[95])
    expected = np.interp(found.distance, known.percentiles, np.arange(101) / 100)
    assert found.nearer == pytest.approx(expected) and found.far == (found.distance > found.threshold)


def test_what_was_saved_comes_back(known: KnownPictures, tmp_path: Path) -> None:
    known.save(tmp_path / KNOWN, "f" * 64)
    loaded = KnownPictures.load(tmp_path, "f" * 64)
    assert loaded is not None
    np.testing.assert_allclose(loaded.vectors, known.vectors, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(loaded.vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(loaded.percentiles, known.percentiles)
    assert KnownPictures.load(tmp_path / "elsewhere", "f" * 64) is None


def test_of_another_model_or_damaged_it_is_refused(known: KnownPictures, tmp_path: Path) -> None:
    path = tmp_path / KNOWN
    known.save(path, "f" * 64)
    with pytest.raises(BundleError, match="other weights"):
        KnownPictures.load(tmp_path, "e" * 64)
    whole = load_file(path)
    for wrong in (
        {"percentiles": whole["percentiles"][:5]},
        {"vectors": whole["vectors"][:0]},
        {"vectors": whole["vectors"] * np.float16("nan")},
    ):
        save_file({**whole, **wrong}, path, {"fingerprint": "f" * 64})
        with pytest.raises(BundleError):
            KnownPictures.load(tmp_path, "f" * 64)
    save_file({"percentiles": whole["percentiles"]}, path, {"fingerprint": "f" * 64})
    with pytest.raises(BundleError, match="damaged"):
        KnownPictures.load(tmp_path, "f" * 64)
    path.write_bytes(b"not tensors")
    with pytest.raises(BundleError, match="damaged"):
        KnownPictures.load(tmp_path, "f" * 64)
