"""Novelty: distances against a naive version, and the file of prototypes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from dermnote.errors import BundleError
from dermnote.models.novelty import KNOWN, KnownImages, distances
from tests.random_answers import units

FINGERPRINT = "f" * 64


def vectors(rows: int, seed: int) -> np.ndarray:
    return units(np.random.default_rng(seed), rows, 16)


@pytest.fixture
def known() -> KnownImages:
    return KnownImages(vectors(40, 0), np.linspace(0.1, 0.6, 101, dtype=np.float32))


@pytest.mark.parametrize("size", [1, 3, 30])
def test_the_distance_is_the_mean_of_the_five_nearest(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    queries, stored = vectors(17, 1), vectors(size, 2)
    naive = [np.mean(sorted(1 - stored @ each)[:5]) for each in queries]
    np.testing.assert_allclose(distances(queries, stored), naive, atol=1e-6)
    monkeypatch.setattr("dermnote.models.novelty.BLOCK", 4)
    np.testing.assert_allclose(distances(queries, stored), naive, atol=1e-6)


def test_near_far_and_percentile(known: KnownImages) -> None:
    same = KnownImages(np.repeat(vectors(1, 3), 9, axis=0), known.percentiles)
    near, opposite = same.novelty(same.vectors[0]), same.novelty(-same.vectors[0])
    assert near.distance == pytest.approx(0, abs=1e-6) and near.nearer == 0 and not near.far
    assert opposite.distance == pytest.approx(2, abs=1e-6) and opposite.nearer == 1 and opposite.far
    result = known.novelty(vectors(1, 9)[0])
    assert result.threshold == pytest.approx(known.percentiles[95])
    expected = np.interp(result.distance, known.percentiles, np.arange(101) / 100)
    assert result.nearer == pytest.approx(expected) and result.far == (result.distance > result.threshold)


def test_a_round_trip_keeps_unit_rows(known: KnownImages, tmp_path: Path) -> None:
    known.save(tmp_path / KNOWN, FINGERPRINT)
    loaded = KnownImages.load(tmp_path, FINGERPRINT)
    assert loaded is not None
    np.testing.assert_allclose(loaded.vectors, known.vectors, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(loaded.vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(loaded.percentiles, known.percentiles)
    assert KnownImages.load(tmp_path / "elsewhere", FINGERPRINT) is None


def test_other_models_and_damaged_files_are_refused(known: KnownImages, tmp_path: Path) -> None:
    path = tmp_path / KNOWN
    known.save(path, FINGERPRINT)
    with pytest.raises(BundleError, match="other weights"):
        KnownImages.load(tmp_path, "e" * 64)
    tensors = load_file(path)
    vectors, percentiles = tensors["vectors"], tensors["percentiles"]
    for wrong, message in (
        (tensors | {"percentiles": percentiles[:5]}, "wrong shape"),
        (tensors | {"vectors": vectors[:0]}, "wrong shape"),
        (tensors | {"vectors": vectors * np.float16("nan")}, "not finite"),
        ({"percentiles": percentiles}, "damaged"),
    ):
        save_file(wrong, path, {"fingerprint": FINGERPRINT})
        with pytest.raises(BundleError, match=message):
            KnownImages.load(tmp_path, FINGERPRINT)
    path.write_bytes(b"not tensors")
    with pytest.raises(BundleError, match="damaged"):
        KnownImages.load(tmp_path, FINGERPRINT)
