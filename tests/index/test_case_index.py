"""CaseIndex against a naive search: files, filters, adding and removing cases, invalid queries and damaged files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dermnote.errors import BundleError, IndexQueryError
from dermnote.hub.bundle import STARTER
from dermnote.images.opening import encode_jpeg
from dermnote.index.case_index import CaseIndex
from tests.micro_bundle import lesion
from tests.random_answers import units

N, DIM, MANY = 50, 16, 1500
FINGERPRINT = "f" * 64


def unit(rows: int, seed: int) -> np.ndarray:
    return units(np.random.default_rng(seed), rows, DIM)


IMAGES, NOTES = unit(N, 0), unit(N, 1)


def ids(rows: Iterable[int]) -> list[str]:
    return [f"set/{row}" for row in rows]


def table(rows: int = N) -> pd.DataFrame:
    numbers = range(rows)
    columns = {"case_id": ids(numbers), "note": [f"note {i}" for i in numbers], "source": "set", "split": "train"}
    columns |= {"label": [f"class {i % 3}" for i in numbers], "age": [float(i) if i % 2 else None for i in numbers]}
    columns |= {"sex": pd.array([None if i % 5 else "female" for i in numbers], dtype="string"), "group": "not kept"}
    return pd.DataFrame(columns)


@pytest.fixture(scope="module")
def index() -> CaseIndex:
    thumbnails = [encode_jpeg(lesion(i, 64)) for i in range(N - 1)]
    return CaseIndex.build(table(), IMAGES, NOTES, [*thumbnails, None], FINGERPRINT)


@pytest.fixture(scope="module")
def many() -> CaseIndex:
    return build_many()


def build_many() -> CaseIndex:
    """Build an index of several row groups and with inverted lists."""
    thumbnails = [None if row % 7 == 3 else b"\xff\xd8 image %d" % row for row in range(MANY)]
    return CaseIndex.build(table(MANY), unit(MANY, 3), unit(MANY, 4), thumbnails, FINGERPRINT, exact_up_to=1000)


@pytest.mark.parametrize("k", [1, 5, N, 10 * N])
def test_search_equals_a_naive_search(index: CaseIndex, k: int) -> None:
    for query in unit(10, 2):
        searches = ((index.search_notes, NOTES), (index.search_images, IMAGES), (index.search_similar, IMAGES))
        for search, vectors in searches:
            cosines = vectors @ query
            best = np.argsort(-cosines, kind="stable")[:k]
            hits = search(query, k)
            assert [hit.case_id for hit in hits] == ids(best)
            np.testing.assert_allclose([hit.score for hit in hits], cosines[best], atol=1e-6)
            scaled = search(query * 7, k)
            np.testing.assert_allclose([hit.score for hit in scaled], cosines[best], atol=1e-6)


def test_a_hit_has_all_recorded_facts(index: CaseIndex) -> None:
    hit = index.search_notes(NOTES[5], 1)[0]
    assert (hit.case_id, hit.label, hit.note, hit.source, hit.split) == ("set/5", "class 2", "note 5", "set", "train")
    assert hit.score == pytest.approx(1) and hit.score <= 1
    assert (hit.age, hit.sex, hit.subtype) == (5.0, "female", None)
    assert hit.metadata.age == 5.0 and hit.metadata.label == "class 2"
    assert hit.thumbnail is not None and hit.thumbnail.size == (64, 64) and hit.thumbnail.mode == "RGB"
    other = index.search_images(IMAGES[N - 1], 1)[0]
    assert other.thumbnail is None and other.sex is None and "group" not in index.table


def test_a_batch_equals_its_single_queries_and_invalid_queries_are_refused(index: CaseIndex) -> None:
    queries = unit(7, 8)
    assert index.search(queries, 3, "notes") == [index.search_notes(query, 3) for query in queries]
    assert index.search(queries[:0], 3) == []
    with pytest.raises(IndexQueryError, match="side must be"):
        index.search(queries, 3, "note")  # type: ignore[arg-type]
    for k in (0, -1, 1.5, True, "5"):
        with pytest.raises(IndexQueryError, match="whole number"):
            index.search_notes(NOTES[0], k)  # type: ignore[arg-type]
    for query in (np.zeros(DIM), np.full(DIM, np.nan), np.full(DIM, np.inf), np.ones(DIM - 1), np.ones((2, DIM))):
        with pytest.raises(IndexQueryError):
            index.search_notes(query, 3)


def test_without_notes_only_images_are_searched(tmp_path: Path) -> None:
    CaseIndex.build(table(), IMAGES, None, [None] * N, "f").save(tmp_path)
    assert not (tmp_path / "notes.faiss").exists()
    loaded = CaseIndex.load(tmp_path, "f")
    assert loaded.search_similar(IMAGES[4], 1)[0].case_id == "set/4"
    for search in (loaded.search_notes, loaded.search_images):
        with pytest.raises(IndexQueryError, match="pictures alone"):
            search(IMAGES[0], 1)


@pytest.mark.parametrize("name", ["images.faiss", "notes.faiss", "cases.parquet", "index.json"])
@pytest.mark.parametrize("error", ["missing", "truncated", "noise"])
def test_a_damaged_file_is_one_clear_error(index: CaseIndex, tmp_path: Path, name: str, error: str) -> None:
    index.save(tmp_path)
    path = tmp_path / name
    data = path.read_bytes()
    path.unlink()
    if error != "missing":
        path.write_bytes(data[: len(data) // 2] if error == "truncated" else b"noise" * 9)
    with pytest.raises(BundleError) as caught:
        CaseIndex.load(tmp_path, FINGERPRINT)
    assert name in str(caught.value) and "\n" not in str(caught.value) and "faiss::" not in str(caught.value)


def test_files_that_do_not_match_are_refused(index: CaseIndex, tmp_path: Path) -> None:
    index.save(tmp_path)
    with pytest.raises(BundleError, match="another model"):
        CaseIndex.load(tmp_path, "0" * 64)
    CaseIndex.build(table(N - 1), IMAGES[:-1], NOTES[:-1], [None] * (N - 1), FINGERPRINT).save(tmp_path / "few")
    (tmp_path / "few" / "notes.faiss").replace(tmp_path / "notes.faiss")
    with pytest.raises(BundleError, match=f"{N - 1} notes for {N} cases"):
        CaseIndex.load(tmp_path, FINGERPRINT)
    info = json.loads((tmp_path / "index.json").read_text())
    (tmp_path / "index.json").write_text(json.dumps({**info, "format": 99}))
    with pytest.raises(BundleError, match="format 99"):
        CaseIndex.load(tmp_path, FINGERPRINT)


def test_tables_of_other_versions(index: CaseIndex, tmp_path: Path) -> None:
    index.save(tmp_path)
    path = tmp_path / "cases.parquet"
    rows = pq.read_table(path)
    pq.write_table(rows.drop_columns(["modality"]), path)  # as in older indexes
    loaded = CaseIndex.load(tmp_path)
    assert loaded.search_notes(NOTES[5], 1)[0].modality is None and loaded.table["modality"].isna().all()
    with pytest.raises(IndexQueryError, match="recorded for none"):
        loaded.search_notes(NOTES[5], 1, {"modality": "clinical"})
    invalid = [None, pa.py_buffer(np.array([0, 2], np.int32)), pa.py_buffer(b"\xff\xfe")]  # Parquet accepts any bytes
    notes = pa.chunked_array([pa.concat_arrays([pa.Array.from_buffers(pa.string(), 1, invalid)] * len(rows))])
    pq.write_table(rows.set_column(rows.schema.get_field_index("note"), "note", notes), path)
    with pytest.raises(BundleError, match=r"cases\.parquet is missing or damaged"):
        CaseIndex.load(tmp_path, FINGERPRINT).search_images(NOTES[0], 1)
    pq.write_table(rows.drop_columns(["note"]), path)
    with pytest.raises(BundleError, match=r"cases\.parquet"):
        CaseIndex.load(tmp_path)


def test_vectors_must_be_one_unit_row_for_each_case() -> None:
    broken = IMAGES.copy()
    broken[3] = np.nan
    for vectors in (IMAGES * 2, broken, np.zeros_like(IMAGES), IMAGES[:-1], IMAGES[0]):
        with pytest.raises(IndexQueryError):
            CaseIndex.build(table(), vectors, None, [None] * N, "f")
    with pytest.raises(IndexQueryError, match="at least one case"):
        CaseIndex.build(table(0), np.zeros((0, DIM)), None, [], "f")


def test_inverted_lists_record_their_recall_and_save_equal_bytes(many: CaseIndex, tmp_path: Path) -> None:
    many.save(tmp_path / "a")
    info = json.loads((tmp_path / "a" / "index.json").read_text())
    assert info["format"] == 1 and info["cases"] == MANY
    assert set(info["lists"]["images"]["recall_at_10"]) == {"image", "text"}
    assert set(info["lists"]["notes"]["recall_at_10"]) == {"image"}
    for each in info["lists"].values():
        assert each["kind"] == "IVF,Flat" and each["nlist"] == 155 and 1 <= each["nprobe"] <= 155
        assert each["queries"] == 375 and min(each["recall_at_10"].values()) >= 0.99
    loaded = CaseIndex.load(tmp_path / "a", FINGERPRINT)
    for query in unit(20, 5):
        for name in ("search_notes", "search_images", "search_similar"):
            assert getattr(loaded, name)(query, 5) == getattr(many, name)(query, 5)
    loaded.save(tmp_path / "b")
    build_many().save(tmp_path / "c")
    for path in (tmp_path / "a").iterdir():
        for other in "bc":
            assert path.read_bytes() == (tmp_path / other / path.name).read_bytes(), (other, path.name)


@pytest.mark.parametrize("groups", [3, 1])
def test_rows_and_thumbnails_in_any_row_group(many: CaseIndex, groups: int, tmp_path: Path) -> None:
    many.save(tmp_path)
    if groups == 1:  # as in older indexes
        pq.write_table(pq.read_table(tmp_path / "cases.parquet"), tmp_path / "cases.parquet")
    assert pq.ParquetFile(tmp_path / "cases.parquet").num_row_groups == groups
    loaded = CaseIndex.load(tmp_path)
    pd.testing.assert_frame_equal(loaded.table, many.table, check_dtype=False)
    assert loaded.thumbnails[1000:] == many.thumbnails[1000:] and loaded.thumbnails[-1] == many.thumbnails[MANY - 1]
    with pytest.raises(IndexError):
        loaded.thumbnails[MANY]
    assert loaded.thumbnail("set/5") == many.thumbnails[5] and list(loaded.columns("label")) == ["label"]
    with ThreadPoolExecutor(4) as pool:
        for row, hits in enumerate(pool.map(lambda vector: loaded.search_similar(vector, 1), unit(MANY, 3)[:300])):
            assert (hits[0].case_id, hits[0].thumbnail_jpeg) == (f"set/{row}", many.thumbnails[row])


def test_saving_over_the_loaded_folder_is_safe(index: CaseIndex, many: CaseIndex, tmp_path: Path) -> None:
    for made in (index, many):
        made.save(tmp_path)
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        loaded = CaseIndex.load(tmp_path)
        loaded.save(tmp_path)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
        assert loaded.search_notes(NOTES[0], 3) == made.search_notes(NOTES[0], 3)


def test_the_embedded_index_is_read_and_written_unchanged(tmp_path: Path) -> None:
    """Format 1 without inverted lists and row groups."""
    folder = STARTER / "index"
    index = CaseIndex.load(folder)
    assert index.search_similar(index._images.vectors()[17], 1)[0].score == pytest.approx(1)
    index.save(tmp_path)
    for name in ("index.json", "images.faiss", "notes.faiss", "cases.parquet"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name
    rows = pq.read_table(folder / "cases.parquet")
    assert list(index.thumbnails) == rows.column("thumbnail").to_pylist()
    pd.testing.assert_frame_equal(index.table, rows.drop_columns(["thumbnail"]).to_pandas())


def test_filters_equal_a_naive_filter(index: CaseIndex, many: CaseIndex, tmp_path: Path) -> None:
    for query in unit(5, 4):
        for where, matches in (
            ({"label": "class 1"}, lambda row: row % 3 == 1),
            ({"label": ["class 1", "class 2"], "sex": "female"}, lambda row: row % 3 > 0 and row % 5 == 0),
            ({}, lambda row: True),
        ):
            expected = [row for row in np.argsort(-(NOTES @ query), kind="stable") if matches(row)][:4]
            assert [hit.case_id for hit in index.search_notes(query, 4, where)] == ids(expected)
    many.save(tmp_path)
    loaded, vectors = CaseIndex.load(tmp_path), unit(MANY, 3)
    for query in unit(5, 6):
        expected = [row for row in np.argsort(-(vectors @ query), kind="stable") if row % 3 == 1][:20]
        assert [hit.case_id for hit in loaded.search_similar(query, 20, {"label": "class 1"})] == ids(expected)
    where = {"label": "class 0", "sex": "female"}
    assert len(index.search_similar(IMAGES[0], 40, where)) == sum(row % 15 == 0 for row in range(N))
    two = CaseIndex.build(table(2).assign(site=["hand", "foot"]), IMAGES[:2], NOTES[:2], [None, None], FINGERPRINT)
    assert two.search_similar(IMAGES[0], 5, {"site": "hand", "label": "class 1"}) == []


def test_an_unknown_filter_is_refused(index: CaseIndex) -> None:
    for column, value, message in (
        *(("lable", "class 1", "'label'"), ("label", "class1", "class 1")),
        *(("site", "hand", "recorded for none"), ("age", "5", "Unknown key")),
    ):
        with pytest.raises(IndexQueryError, match=message):
            index.search_similar(IMAGES[0], 5, {column: value})


@pytest.mark.parametrize("exact_up_to", [1000, 40])
def test_adding_and_removing_equals_building(index: CaseIndex, exact_up_to: int) -> None:
    thumbnails = list(index.thumbnails)
    first = CaseIndex.build(table(30), IMAGES[:30], NOTES[:30], thumbnails[:30], FINGERPRINT, exact_up_to)
    grown = first.add(table().iloc[30:], IMAGES[30:], NOTES[30:], thumbnails[30:], exact_up_to)
    shrunk = grown.remove(ids(range(0, N, 2)), exact_up_to)
    assert len(first) == 30 and len(grown) == N and len(shrunk) == N // 2
    built = CaseIndex.build(table(), IMAGES, NOTES, thumbnails, FINGERPRINT, exact_up_to)
    for query in unit(5, 9):
        assert grown.search_notes(query, 5) == built.search_notes(query, 5)
        nearest = next(row for row in np.argsort(-(IMAGES @ query), kind="stable") if row % 2)
        assert shrunk.search_similar(query, N)[0].case_id == f"set/{nearest}"
    assert list(grown.thumbnails) == thumbnails and list(shrunk.thumbnails) == thumbnails[1::2]
    assert shrunk.search_notes(NOTES[7], 1)[0].note == "note 7"


def test_invalid_additions_and_removals_are_refused(index: CaseIndex) -> None:
    with pytest.raises(IndexQueryError, match="twice, set/3 first"):
        index.add(table().iloc[3:4], IMAGES[3:4], NOTES[3:4], [None])
    new = table(1).assign(case_id="set/new")
    for images, notes, message in (
        (IMAGES[:1], None, "notes of all cases or of none"),
        (IMAGES[:1, :8], NOTES[:1], r"\(1, 16\)"),
        (IMAGES[:1] * np.nan, NOTES[:1], "not of unit length"),
    ):
        with pytest.raises(IndexQueryError, match=message):
            index.add(new, images, notes, [None])
    with pytest.raises(IndexQueryError, match="not in the index, nobody first"):
        index.remove(["nobody", "set/1"])
    with pytest.raises(IndexQueryError, match="at least one case"):
        index.remove(ids(range(N)))
