"""Inverted lists against an exact search in numpy on clustered vectors, their file, and the choice of nprobe."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from dermnote.errors import BundleError
from dermnote.index.faiss_index import RECALL_TARGET, VectorIndex
from dermnote.index.recall import lower_bound, recall_at_k, smallest_nprobe, without_own
from tests.random_answers import normalised, units

N, DIM, CLUSTERS = 4000, 24, 40
TINY = 1000  # exact_up_to of the tests


def clustered(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return image and note vectors of the same cases: clusters of unequal size, notes shifted from their images."""
    centres, shift = np.random.default_rng(0).normal(size=(2, CLUSTERS, DIM))
    random = np.random.default_rng(seed)
    cluster = (CLUSTERS * random.random(rows) ** 2).astype(int)
    images = centres[cluster] + 0.7 * random.normal(size=(rows, DIM))
    notes = centres[cluster] + 0.3 * shift[cluster] + 0.7 * random.normal(size=(rows, DIM))
    return normalised(images), normalised(notes)


IMAGES, NOTES = clustered(N, 1)
UNSEEN = dict(zip(("image", "text"), clustered(400, 2), strict=True))  # cases that are not in the index


@pytest.fixture(scope="module")
def lists() -> VectorIndex:
    return VectorIndex.build(IMAGES, {"image": IMAGES, "text": NOTES}, exact_up_to=TINY)


@pytest.mark.parametrize("kind", ["image", "text"])
@pytest.mark.parametrize("k", [1, 10, 60])
def test_the_recall_target_is_met_for_unseen_cases(lists: VectorIndex, kind: str, k: int) -> None:
    assert lists.settings is not None and lists.settings.nprobe < lists.settings.nlist / 2  # else almost exact
    _, rows = lists.search(UNSEEN[kind], k)
    exact = np.argsort(-(UNSEEN[kind] @ IMAGES.T), axis=1, kind="stable")[:, :k]
    assert np.mean([len(set(a) & set(b)) / k for a, b in zip(rows, exact, strict=True)]) >= RECALL_TARGET


def test_the_recorded_recall_leaves_out_each_query_s_own_case(lists: VectorIndex) -> None:
    assert lists.settings is not None and set(lists.settings.recall_at_10) == {"image", "text"}
    for kind, queries in (("image", IMAGES), ("text", NOTES)):
        recalls = []
        some = np.arange(0, N, 8)
        _, rows = lists.search(queries[some], 10)  # its own case and nine others; more would probe more lists
        for row, found in zip(some, rows, strict=True):
            cosines = IMAGES @ queries[row]
            cosines[row] = -2
            recalls.append(len(set(found[found != row][:9]) & set(np.argsort(-cosines)[:9])) / 9)
        assert lists.settings.recall_at_10[kind] >= RECALL_TARGET
        assert lists.settings.recall_at_10[kind] == pytest.approx(np.mean(recalls), abs=0.006)


def test_the_hardest_kind_of_query_decides(lists: VectorIndex) -> None:
    unrelated = units(np.random.default_rng(3), N, DIM)
    harder = VectorIndex.build(IMAGES, {"image": IMAGES, "text": unrelated}, exact_up_to=TINY)
    assert lists.settings is not None and harder.settings is not None
    assert harder.settings.nprobe > lists.settings.nprobe
    assert min(harder.settings.recall_at_10.values()) >= RECALL_TARGET


def test_scores_are_sorted_cosines_and_independent_of_the_batch(lists: VectorIndex) -> None:
    scores, rows = lists.search(UNSEEN["image"], 7)
    np.testing.assert_allclose(scores, np.einsum("qd,qkd->qk", UNSEEN["image"], IMAGES[rows]), atol=1e-6)
    assert (np.diff(scores, axis=1) <= 0).all()
    for number in range(5):
        alone, alone_rows = lists.search(UNSEEN["image"][number : number + 1], 7)
        np.testing.assert_array_equal(alone_rows[0], rows[number])
        np.testing.assert_allclose(alone[0], scores[number], atol=1e-6)
    scores, rows = lists.search(UNSEEN["text"][:2], N)
    assert (np.sort(rows, axis=1) == np.arange(N)).all()
    np.testing.assert_allclose(scores, -np.sort(-(UNSEEN["text"][:2] @ IMAGES.T), axis=1), atol=1e-6)


def test_identical_notes_are_interchangeable() -> None:
    """Template notes repeat; any of the identical ones is a correct hit."""
    few = units(np.random.default_rng(4), 12, DIM)
    which = np.random.default_rng(5).integers(0, 12, N)
    same = VectorIndex.build(few[which], {"image": IMAGES}, exact_up_to=TINY)
    assert same.settings is not None and same.settings.recall_at_10["image"] >= RECALL_TARGET
    scores, rows = same.search(few, 10)
    np.testing.assert_allclose(scores, 1, atol=1e-6)
    assert (which[rows] == np.arange(12)[:, None]).all()


@pytest.mark.parametrize("rows", [TINY, TINY + 1, N])
def test_files_are_deterministic_and_mapped(rows: int, tmp_path: Path) -> None:
    for name in "ab":
        index = VectorIndex.build(IMAGES[:rows], {"image": NOTES[:rows]}, exact_up_to=TINY)
        index.save(tmp_path / name)
    assert (index.settings is None) == (index.settings_json() is None) == (rows == TINY)
    loaded = VectorIndex.load(tmp_path / "a", DIM, index.settings_json())
    if sys.platform.startswith("linux"):
        assert str(tmp_path / "a") in Path("/proc/self/maps").read_text()
    assert len(loaded) == rows and loaded.dim == DIM and loaded.settings == index.settings
    for found, expected in zip(loaded.search(UNSEEN["text"], 10), index.search(UNSEEN["text"], 10), strict=True):
        np.testing.assert_array_equal(found, expected)
    for each in (index, loaded):
        np.testing.assert_array_equal(each.vectors(), IMAGES[:rows])
        each.save(tmp_path / "c")
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()


@pytest.mark.parametrize("kind", ["flat", "lists"])
def test_a_truncated_file_is_one_clear_error(kind: str, lists: VectorIndex, tmp_path: Path) -> None:
    index = lists if kind == "lists" else VectorIndex.build(IMAGES[:200])
    index.save(tmp_path / "complete")
    data, path = (tmp_path / "complete").read_bytes(), tmp_path / "cut.faiss"
    for length in (0, 3, 25, 36, 37, 44, 45, 46, 200, len(data) // 2, len(data) - 5000, len(data) - 100, len(data) - 1):
        path.unlink(missing_ok=True)  # never changed in place: an earlier one may still be mapped
        path.write_bytes(data[:length])
        with pytest.raises(BundleError, match=r"cut\.faiss"):
            VectorIndex.load(path, DIM, index.settings_json())


def test_a_file_that_does_not_match_its_settings_is_refused(lists: VectorIndex, tmp_path: Path) -> None:
    lists.save(tmp_path / "lists")
    VectorIndex.build(IMAGES[:200]).save(tmp_path / "flat")
    settings = lists.settings_json()
    assert settings is not None
    wrong = [("lists", DIM, None), ("flat", DIM, settings), ("lists", DIM + 1, settings), ("flat", DIM + 1, None)]
    wrong += [("missing", DIM, None), ("lists", DIM, {"nprobe": 3})]
    for change in (
        *({"nprobe": 0}, {"nprobe": settings["nlist"] + 1}, {"nlist": settings["nlist"] + 1}),
        *({"surprise": 1}, {"nprobe": "3"}),
    ):
        wrong.append(("lists", DIM, settings | change))
    for name, dim, stated in wrong:
        with pytest.raises(BundleError) as caught:
            VectorIndex.load(tmp_path / name, dim, stated)
        assert name in str(caught.value) and "faiss::" not in str(caught.value)


def test_recall_without_the_own_case() -> None:
    scores = np.array([[0.9, 0.8, 0.7]] * 3, dtype=np.float32)
    rows = np.array([[5, 2, 3], [2, 5, 3], [1, 2, 3]])
    expected = np.array([[0.8, 0.7], [0.9, 0.7], [0.9, 0.8]], dtype=np.float32)  # the last did not find its own
    np.testing.assert_array_equal(without_own(scores, rows, np.array([5, 5, 5])), expected)
    exact = np.array([[0.9, 0.8, 0.5, 0.5]], dtype=np.float32)
    assert recall_at_k(np.array([[0.9, 0.5, 0.5, 0.4]], dtype=np.float32), exact).tolist() == [0.75]
    assert recall_at_k(exact, exact).tolist() == [1]
    lucky = np.array([1.0] * 99 + [0.1])
    assert lucky.mean() > 0.99 > lower_bound(lucky) and lower_bound(np.ones(10)) == 1


@pytest.mark.parametrize("needed", [1, 2, 3, 7, 64, 99, 100])
def test_the_smallest_nprobe_is_found(needed: int) -> None:
    calls: list[int] = []

    def measure(nprobe: int) -> dict[str, np.ndarray]:
        calls.append(nprobe)
        return {"image": np.ones(50), "text": np.full(50, 1.0 if nprobe >= needed else 0.98)}

    assert smallest_nprobe(measure, 100, 0.99) == needed and len(calls) <= 14
