"""Inverted lists against numpy's exact answer on clustered vectors, their file, and the search for nprobe."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from dermnote.errors import BundleError, IndexQueryError
from dermnote.index.faiss_index import RECALL_TARGET, ListSettings, VectorIndex
from dermnote.index.recall import lower_bound, recall_at_k, smallest_nprobe, without_own

N, DIM, CLUSTERS = 4000, 24, 40
TINY = 1000  # what makes inverted lists of a few thousand vectors


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def clustered(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures and notes of the same cases: clusters of unequal size, notes a little beside their pictures."""
    centres, shift = np.random.default_rng(0).normal(size=(2, CLUSTERS, DIM))
    random = np.random.default_rng(seed)
    cluster = (CLUSTERS * random.random(rows) ** 2).astype(int)
    pictures = centres[cluster] + 0.7 * random.normal(size=(rows, DIM))
    notes = centres[cluster] + 0.3 * shift[cluster] + 0.7 * random.normal(size=(rows, DIM))
    return unit(pictures), unit(notes)


PICTURES, NOTES = clustered(N, 1)
FRESH = dict(zip(("image", "text"), clustered(400, 2), strict=True))  # cases that are not in the index


@pytest.fixture(scope="module")
def lists() -> VectorIndex:
    return VectorIndex.build(PICTURES, {"image": PICTURES, "text": NOTES}, exact_up_to=TINY)


def nearest(queries: np.ndarray, k: int) -> np.ndarray:
    return np.argsort(-(queries @ PICTURES.T), axis=1, kind="stable")[:, :k]


def recall(found: np.ndarray, exact: np.ndarray) -> float:
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found, exact, strict=True)]))


@pytest.mark.parametrize("kind", ["image", "text"])
@pytest.mark.parametrize("k", [1, 10, 60])
def test_the_promised_recall_holds_for_cases_it_never_saw(lists: VectorIndex, kind: str, k: int) -> None:
    assert lists.settings is not None and lists.settings.nprobe < lists.settings.nlist / 2  # else it were exact anyway
    _, found = lists.search(FRESH[kind], k)
    assert recall(found, nearest(FRESH[kind], k)) >= RECALL_TARGET


def test_the_recall_it_tells_is_that_of_its_own_cases_without_themselves(lists: VectorIndex) -> None:
    assert lists.settings is not None and set(lists.settings.recall_at_10) == {"image", "text"}
    for kind, queries in (("image", PICTURES), ("text", NOTES)):
        shares = []
        some = np.arange(0, N, 8)
        _, rows = lists.search(queries[some], 10)  # itself and nine others; more than ten would look at more lists
        for row, found in zip(some, rows, strict=True):
            cosines = PICTURES @ queries[row]
            cosines[row] = -2
            shares.append(len(set(found[found != row][:9]) & set(np.argsort(-cosines)[:9])) / 9)
        assert lists.settings.recall_at_10[kind] >= RECALL_TARGET
        assert lists.settings.recall_at_10[kind] == pytest.approx(np.mean(shares), abs=0.006)


def test_the_kind_of_query_that_finds_least_decides(lists: VectorIndex) -> None:
    strangers = unit(np.random.default_rng(3).normal(size=(N, DIM)))
    harder = VectorIndex.build(PICTURES, {"image": PICTURES, "text": strangers}, exact_up_to=TINY)
    assert lists.settings is not None and harder.settings is not None
    assert harder.settings.nprobe > lists.settings.nprobe
    assert min(harder.settings.recall_at_10.values()) >= RECALL_TARGET


def test_scores_are_cosines_best_first_and_a_batch_is_its_queries(lists: VectorIndex) -> None:
    scores, rows = lists.search(FRESH["image"], 7)
    np.testing.assert_allclose(scores, np.einsum("qd,qkd->qk", FRESH["image"], PICTURES[rows]), atol=1e-6)
    assert (np.diff(scores, axis=1) <= 0).all()
    for number in range(5):
        alone, those = lists.search(FRESH["image"][number : number + 1], 7)
        np.testing.assert_array_equal(those[0], rows[number])
        np.testing.assert_allclose(alone[0], scores[number], atol=1e-6)


def test_as_many_as_there_are_gives_each_once(lists: VectorIndex) -> None:
    scores, rows = lists.search(FRESH["text"][:2], N)
    for number in range(2):
        assert sorted(rows[number]) == list(range(N))
        np.testing.assert_allclose(scores[number], np.sort(PICTURES @ FRESH["text"][number])[::-1], atol=1e-6)


def test_a_thousand_notes_that_say_the_same_are_one_answer() -> None:
    """Template notes repeat word for word: which of the equal ones is found is no matter, that one is found is."""
    few = unit(np.random.default_rng(4).normal(size=(12, DIM)))
    which = np.random.default_rng(5).integers(0, 12, N)
    same = VectorIndex.build(few[which], {"image": PICTURES}, exact_up_to=TINY)
    assert same.settings is not None and same.settings.recall_at_10["image"] >= RECALL_TARGET
    scores, rows = same.search(few, 10)
    np.testing.assert_allclose(scores, 1, atol=1e-6)
    assert (which[rows] == np.arange(12)[:, None]).all()


def test_up_to_the_threshold_it_is_exact_and_has_nothing_to_tell() -> None:
    flat = VectorIndex.build(PICTURES[:TINY], exact_up_to=TINY)
    assert flat.settings is None and flat.settings_json() is None
    above = VectorIndex.build(PICTURES[: TINY + 1], exact_up_to=TINY).settings
    assert above is not None and above.nlist == round(4 * np.sqrt(TINY + 1))


@pytest.mark.parametrize("rows", [TINY, N])
def test_equal_input_gives_equal_bytes_and_so_does_what_is_loaded(rows: int, tmp_path: Path) -> None:
    for name in "ab":
        index = VectorIndex.build(PICTURES[:rows], {"image": NOTES[:rows]}, exact_up_to=TINY)
        index.save(tmp_path / name)
    loaded = VectorIndex.load(tmp_path / "a", DIM, index.settings_json())
    loaded.save(tmp_path / "c")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()
    assert len(loaded) == rows and loaded.dim == DIM and loaded.settings == index.settings
    for found, expected in zip(loaded.search(FRESH["text"], 10), index.search(FRESH["text"], 10), strict=True):
        np.testing.assert_array_equal(found, expected)
    for each in (index, loaded):
        np.testing.assert_array_equal(each.reconstruct(rows - 1), PICTURES[rows - 1])
        each.save(tmp_path / "d")
        assert (tmp_path / "d").read_bytes() == (tmp_path / "a").read_bytes()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads what Linux says is mapped")
@pytest.mark.parametrize("rows", [TINY, N])
def test_a_file_is_mapped_not_read(rows: int, tmp_path: Path) -> None:
    index = VectorIndex.build(PICTURES[:rows], exact_up_to=TINY)
    index.save(tmp_path / "mapped.faiss")
    loaded = VectorIndex.load(tmp_path / "mapped.faiss", DIM, index.settings_json())
    assert str(tmp_path / "mapped.faiss") in Path("/proc/self/maps").read_text()
    assert len(loaded) == rows


@pytest.mark.parametrize("kind", ["flat", "lists"])
def test_a_file_cut_off_anywhere_is_one_clear_error(kind: str, lists: VectorIndex, tmp_path: Path) -> None:
    index = lists if kind == "lists" else VectorIndex.build(PICTURES[:200])
    index.save(tmp_path / "whole")
    data, path = (tmp_path / "whole").read_bytes(), tmp_path / "cut.faiss"
    for length in (0, 3, 25, 36, 37, 44, 45, 46, 200, len(data) // 2, len(data) - 5000, len(data) - 100, len(data) - 1):
        path.unlink(missing_ok=True)  # never changed in place: an earlier one may still be mapped
        path.write_bytes(data[:length])
        with pytest.raises(BundleError, match=r"cut\.faiss"):
            VectorIndex.load(path, DIM, index.settings_json())


def test_a_file_that_is_not_what_is_told_of_it_is_refused(lists: VectorIndex, tmp_path: Path) -> None:
    lists.save(tmp_path / "lists")
    VectorIndex.build(PICTURES[:200]).save(tmp_path / "flat")
    settings = lists.settings_json()
    assert settings is not None
    wrong = [
        ("lists", DIM, None),
        ("flat", DIM, settings),
        ("lists", DIM + 1, settings),
        ("flat", DIM + 1, None),
        ("lists", DIM, {**settings, "nprobe": 0}),
        ("lists", DIM, {**settings, "nprobe": settings["nlist"] + 1}),
        ("lists", DIM, {**settings, "nlist": settings["nlist"] + 1}),
        ("lists", DIM, {**settings, "surprise": 1}),
        ("lists", DIM, {"nprobe": 3}),
        ("lists", DIM, {**settings, "nprobe": "3"}),
        ("missing", DIM, None),
    ]
    for name, dim, told in wrong:
        with pytest.raises(BundleError) as caught:
            VectorIndex.load(tmp_path / name, dim, told)
        assert name in str(caught.value) and "faiss::" not in str(caught.value)


def test_vectors_that_are_not_unit_rows_are_refused() -> None:
    broken = PICTURES.copy()
    broken[3] = np.nan
    for vectors in (broken, PICTURES * 2, PICTURES[0]):
        with pytest.raises(IndexQueryError, match="note vector"):
            VectorIndex.build(vectors, exact_up_to=TINY, what="note")


def test_a_query_s_own_case_is_taken_out_where_it_was_found() -> None:
    scores = np.array([[0.9, 0.8, 0.7], [0.9, 0.8, 0.7], [0.9, 0.8, 0.7]], dtype=np.float32)
    rows = np.array([[5, 2, 3], [2, 5, 3], [1, 2, 3]])
    expected = np.array([[0.8, 0.7], [0.9, 0.7], [0.9, 0.8]], dtype=np.float32)  # the last did not find itself
    np.testing.assert_array_equal(without_own(scores, rows, np.array([5, 5, 5])), expected)


def test_recall_counts_what_is_as_near_as_the_last_true_one() -> None:
    exact = np.array([[0.9, 0.8, 0.5, 0.5]], dtype=np.float32)
    assert recall_at_k(np.array([[0.9, 0.5, 0.5, 0.4]], dtype=np.float32), exact).tolist() == [0.75]
    assert recall_at_k(exact, exact).tolist() == [1]


@pytest.mark.parametrize("needed", [1, 2, 3, 7, 64, 99, 100])
def test_the_fewest_lists_are_found(needed: int) -> None:
    asked: list[int] = []

    def measure(nprobe: int) -> dict[str, np.ndarray]:
        asked.append(nprobe)
        return {"image": np.ones(50), "text": np.full(50, 1.0 if nprobe >= needed else 0.98)}

    assert smallest_nprobe(measure, 100, 0.99) == needed
    assert len(asked) <= 14


def test_a_mean_that_may_be_luck_is_not_sure() -> None:
    shares = np.array([1.0] * 99 + [0.1])
    assert shares.mean() > 0.99 > lower_bound(shares)
    assert lower_bound(np.ones(10)) == 1


def test_settings_survive_json() -> None:
    settings = ListSettings(4000, 31, {"image": 0.991, "text": 0.995}, 1000)
    assert ListSettings(**json.loads(json.dumps(settings.__dict__))) == settings
