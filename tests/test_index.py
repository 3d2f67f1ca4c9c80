"""The index against a naive search, its files, and everything a query or a file can have wrong."""

from __future__ import annotations

import json
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

N, DIM = 50, 16


def unit(rows: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, DIM)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


IMAGES, NOTES = unit(N, 0), unit(N, 1)


def table(rows: int = N) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "case_id": [f"set/{i}" for i in range(rows)],
            "source": "set",
            "split": "train",
            "label": [f"class {i % 3}" for i in range(rows)],
            "note": [f"note {i}" for i in range(rows)],
            "age": [float(i) if i % 2 else None for i in range(rows)],
            "sex": pd.array([None if i % 5 else "female" for i in range(rows)], dtype="string"),
            "group": "not for the index",
        }
    )


@pytest.fixture
def index() -> CaseIndex:
    thumbnails = [encode_jpeg(lesion(i, 64)) for i in range(N - 1)]
    return CaseIndex.build(table(), IMAGES, NOTES, [*thumbnails, None], "f" * 64)


@pytest.mark.parametrize("k", [1, 5, N])
def test_search_equals_the_naive_one(index: CaseIndex, k: int) -> None:
    for query in unit(10, 2):
        for search, vectors in (
            (index.search_notes, NOTES),
            (index.search_images, IMAGES),
            (index.search_similar, IMAGES),
        ):
            cosines = vectors @ query
            best = np.argsort(-cosines, kind="stable")[:k]
            hits = search(query, k)
            assert [hit.case_id for hit in hits] == [f"set/{row}" for row in best]
            np.testing.assert_allclose([hit.score for hit in hits], cosines[best], atol=1e-6)


def test_a_case_finds_itself_with_all_that_is_known_of_it(index: CaseIndex) -> None:
    hit = index.search_notes(NOTES[5], 1)[0]
    assert (hit.case_id, hit.label, hit.note, hit.source, hit.split) == ("set/5", "class 2", "note 5", "set", "train")
    assert hit.score == pytest.approx(1) and hit.score <= 1
    assert (hit.age, hit.sex, hit.subtype) == (5.0, "female", None)
    assert hit.metadata.age == 5.0 and hit.metadata.label == "class 2"
    assert hit.thumbnail is not None and hit.thumbnail.size == (64, 64) and hit.thumbnail.mode == "RGB"
    other = index.search_images(IMAGES[N - 1], 1)[0]
    assert other.thumbnail is None and other.sex is None and "group" not in index.table


def test_a_query_s_length_changes_nothing(index: CaseIndex) -> None:
    short, long = index.search_notes(NOTES[3], 4), index.search_notes(NOTES[3] * 7, 4)
    assert [hit.case_id for hit in short] == [hit.case_id for hit in long]
    np.testing.assert_allclose([hit.score for hit in short], [hit.score for hit in long], atol=1e-6)


def test_more_than_there_is_gives_all(index: CaseIndex) -> None:
    assert len(index.search_similar(IMAGES[0], 10 * N)) == N


@pytest.mark.parametrize("k", [0, -1, 1.5, True, "5"])
def test_k_must_count(index: CaseIndex, k: object) -> None:
    with pytest.raises(IndexQueryError, match="whole number"):
        index.search_notes(NOTES[0], k)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "query", [np.zeros(DIM), np.full(DIM, np.nan), np.full(DIM, np.inf), np.ones(DIM - 1), np.ones((2, DIM))]
)
def test_a_query_that_does_not_fit_is_refused(index: CaseIndex, query: np.ndarray) -> None:
    with pytest.raises(IndexQueryError):
        index.search_notes(query, 3)


def test_saving_and_loading_changes_nothing(index: CaseIndex, tmp_path: Path) -> None:
    index.save(tmp_path / "a")
    loaded = CaseIndex.load(tmp_path / "a", "f" * 64)
    for row in (0, 7, N - 1):
        assert loaded.search_notes(NOTES[row], 5) == index.search_notes(NOTES[row], 5)
    loaded.save(tmp_path / "b")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_without_notes_only_pictures_are_searched(tmp_path: Path) -> None:
    CaseIndex.build(table(), IMAGES, None, [None] * N, "f").save(tmp_path)
    assert not (tmp_path / "notes.faiss").exists()
    loaded = CaseIndex.load(tmp_path, "f")
    assert loaded.search_similar(IMAGES[4], 1)[0].case_id == "set/4"
    for search in (loaded.search_notes, loaded.search_images):
        with pytest.raises(IndexQueryError, match="pictures alone"):
            search(IMAGES[0], 1)


def test_an_index_of_another_model_is_refused(index: CaseIndex, tmp_path: Path) -> None:
    index.save(tmp_path)
    with pytest.raises(BundleError, match="another model"):
        CaseIndex.load(tmp_path, "0" * 64)


@pytest.mark.parametrize("name", ["images.faiss", "notes.faiss", "cases.parquet", "index.json"])
@pytest.mark.parametrize("how", ["missing", "cut off", "noise"])
def test_a_damaged_file_is_one_clear_error(index: CaseIndex, tmp_path: Path, name: str, how: str) -> None:
    index.save(tmp_path)
    path = tmp_path / name
    data = path.read_bytes()
    path.unlink() if how == "missing" else path.write_bytes(
        data[: len(data) // 2] if how == "cut off" else b"noise" * 9
    )
    with pytest.raises(BundleError) as caught:
        CaseIndex.load(tmp_path, "f" * 64)
    assert name in str(caught.value) and "\n" not in str(caught.value) and "faiss::" not in str(caught.value)


def test_text_that_is_none_is_told_when_a_hit_needs_it(index: CaseIndex, tmp_path: Path) -> None:
    """Parquet takes any bytes for text; found among damaged bundles."""
    index.save(tmp_path)
    path = tmp_path / "cases.parquet"
    rows = pq.read_table(path)
    notes = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(np.array([0, 2], np.int32)), pa.py_buffer(b"\xff\xfe")]
    )
    column = pa.chunked_array([pa.concat_arrays([notes] * len(rows))])
    pq.write_table(rows.set_column(rows.schema.get_field_index("note"), "note", column), path)
    with pytest.raises(BundleError, match=r"cases\.parquet is missing or damaged"):
        CaseIndex.load(tmp_path, "f" * 64).search_images(NOTES[0], 1)


def test_files_that_do_not_belong_together_are_refused(index: CaseIndex, tmp_path: Path) -> None:
    index.save(tmp_path)
    few = table(N - 1)
    CaseIndex.build(few, IMAGES[:-1], NOTES[:-1], [None] * (N - 1), "f" * 64).save(tmp_path / "few")
    (tmp_path / "few" / "notes.faiss").replace(tmp_path / "notes.faiss")
    with pytest.raises(BundleError, match=f"{N - 1} notes for {N} cases"):
        CaseIndex.load(tmp_path, "f" * 64)
    about = json.loads((tmp_path / "index.json").read_text())
    (tmp_path / "index.json").write_text(json.dumps({**about, "format": 99}))
    with pytest.raises(BundleError, match="format 99"):
        CaseIndex.load(tmp_path, "f" * 64)


def test_vectors_that_are_no_unit_rows_one_a_case_are_refused() -> None:
    broken = IMAGES.copy()
    broken[3] = np.nan
    for vectors in (IMAGES * 2, broken, np.zeros_like(IMAGES), IMAGES[:-1], IMAGES[0]):
        with pytest.raises(IndexQueryError):
            CaseIndex.build(table(), vectors, None, [None] * N, "f")
    with pytest.raises(IndexQueryError, match="at least one case"):
        CaseIndex.build(table(0), np.zeros((0, DIM)), None, [], "f")


MANY = 1500


def build_many() -> CaseIndex:
    """More than a group of rows, and inverted lists."""
    thumbnails = [None if row % 7 == 3 else b"\xff\xd8 picture %d" % row for row in range(MANY)]
    return CaseIndex.build(table(MANY), unit(MANY, 3), unit(MANY, 4), thumbnails, "f" * 64, exact_up_to=1000)


@pytest.fixture(scope="module")
def many() -> CaseIndex:
    return build_many()


def test_above_the_threshold_it_says_how_it_searches_and_comes_back_the_same(many: CaseIndex, tmp_path: Path) -> None:
    many.save(tmp_path / "a")
    about = json.loads((tmp_path / "a" / "index.json").read_text())
    assert about["format"] == 1 and about["cases"] == MANY
    assert set(about["lists"]["images"]["recall_at_10"]) == {"image", "text"}  # all that asks for pictures
    assert set(about["lists"]["notes"]["recall_at_10"]) == {"image"}
    for each in about["lists"].values():
        assert each["kind"] == "IVF,Flat" and each["nlist"] == 155 and 1 <= each["nprobe"] <= 155
        assert each["queries"] == 375 and min(each["recall_at_10"].values()) >= 0.99
    loaded = CaseIndex.load(tmp_path / "a", "f" * 64)
    for query in unit(20, 5):
        for name in ("search_notes", "search_images", "search_similar"):
            assert getattr(loaded, name)(query, 5) == getattr(many, name)(query, 5)
    loaded.save(tmp_path / "b")
    build_many().save(tmp_path / "c")
    for path in (tmp_path / "a").iterdir():
        for other in "bc":
            assert path.read_bytes() == (tmp_path / other / path.name).read_bytes(), (other, path.name)


def test_rows_and_thumbnails_are_those_of_the_table_wherever_they_lie(many: CaseIndex, tmp_path: Path) -> None:
    many.save(tmp_path)  # three groups of rows in the file
    loaded = CaseIndex.load(tmp_path)
    assert pq.ParquetFile(tmp_path / "cases.parquet").num_row_groups == 3
    pd.testing.assert_frame_equal(loaded.table, many.table, check_dtype=False)
    assert list(loaded.thumbnails) == list(many.thumbnails) and loaded.thumbnails[-1] == many.thumbnails[MANY - 1]
    with pytest.raises(IndexError):
        loaded.thumbnails[MANY]
    assert list(loaded.columns("label", "case_id")) == ["label", "case_id"]
    with ThreadPoolExecutor(4) as pool:
        for row, hits in enumerate(pool.map(lambda vector: loaded.search_similar(vector, 1), unit(MANY, 3)[:300])):
            assert (hits[0].case_id, hits[0].thumbnail_jpeg) == (f"set/{row}", many.thumbnails[row])


def test_a_table_in_one_piece_as_it_was_written_at_first_is_read(many: CaseIndex, tmp_path: Path) -> None:
    many.save(tmp_path)
    whole = pq.read_table(tmp_path / "cases.parquet")
    pq.write_table(whole, tmp_path / "cases.parquet")
    assert pq.ParquetFile(tmp_path / "cases.parquet").num_row_groups == 1
    assert CaseIndex.load(tmp_path).search_similar(unit(MANY, 3)[1400], 1)[0].case_id == "set/1400"


def test_saving_over_the_folder_it_was_loaded_from_is_safe(index: CaseIndex, many: CaseIndex, tmp_path: Path) -> None:
    """The files are mapped: written in place, they would change under the index."""
    for made in (index, many):
        made.save(tmp_path)
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        loaded = CaseIndex.load(tmp_path)
        loaded.save(tmp_path)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
        assert loaded.search_notes(NOTES[0], 3) == CaseIndex.load(tmp_path).search_notes(NOTES[0], 3)


def test_the_embedded_starter_s_index_is_read_and_written_as_it_is(tmp_path: Path) -> None:
    """Format 1, as written before there were inverted lists, row groups and mapped files."""
    folder = STARTER / "index"
    index = CaseIndex.load(folder)
    assert len(index) == 360 and index.search_similar(index._images.reconstruct(17), 1)[0].score == pytest.approx(1)
    index.save(tmp_path)
    names = ["index.json", "images.faiss", "notes.faiss"]
    if pq.ParquetFile(folder / "cases.parquet").metadata.created_by.endswith(pa.__version__):
        names.append("cases.parquet")  # another version of the writer signs its name, and may pack otherwise
    for name in names:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name
    old = pq.read_table(folder / "cases.parquet")
    assert old.equals(pq.read_table(tmp_path / "cases.parquet"))
    assert list(index.thumbnails) == old.column("thumbnail").to_pylist()
    pd.testing.assert_frame_equal(index.table, old.drop_columns(["thumbnail"]).to_pandas())


def test_a_table_without_what_a_hit_shows_is_refused(index: CaseIndex, tmp_path: Path) -> None:
    index.save(tmp_path)
    pq.write_table(pq.read_table(tmp_path / "cases.parquet").drop_columns(["note"]), tmp_path / "new.parquet")
    (tmp_path / "new.parquet").replace(tmp_path / "cases.parquet")
    with pytest.raises(BundleError, match=r"cases\.parquet"):
        CaseIndex.load(tmp_path)


def test_a_filter_is_the_naive_one(index: CaseIndex) -> None:
    for query in unit(5, 4):
        for where, fits in (
            ({"label": "class 1"}, lambda row: row % 3 == 1),
            ({"label": ["class 1", "class 2"], "sex": "female"}, lambda row: row % 3 > 0 and row % 5 == 0),
            ({}, lambda row: True),
        ):
            wanted = [row for row in np.argsort(-(NOTES @ query), kind="stable") if fits(row)][:4]
            assert [hit.case_id for hit in index.search_notes(query, 4, where)] == [f"set/{row}" for row in wanted]


def test_a_filter_holds_after_saving_and_in_inverted_lists(tmp_path: Path) -> None:
    vectors = unit(MANY, 3)
    made = CaseIndex.build(table(MANY), vectors, unit(MANY, 5), [None] * MANY, "f" * 64, exact_up_to=1000)
    made.save(tmp_path)
    loaded = CaseIndex.load(tmp_path)
    for query in unit(5, 6):
        wanted = [row for row in np.argsort(-(vectors @ query), kind="stable") if row % 3 == 1][:20]
        assert [hit.case_id for hit in loaded.search_similar(query, 20, {"label": "class 1"})] == [
            f"set/{row}" for row in wanted
        ]


def test_fewer_fit_than_are_asked_for(index: CaseIndex) -> None:
    where = {"label": "class 0", "sex": "female"}
    assert len(index.search_similar(IMAGES[0], 40, where)) == sum(row % 15 == 0 for row in range(N))
    only = CaseIndex.build(table(2).assign(site=["hand", "foot"]), IMAGES[:2], NOTES[:2], [None, None], "f" * 64)
    assert only.search_similar(IMAGES[0], 5, {"site": "hand", "label": "class 1"}) == []


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"lable": "class 1"}, "'label'"),
        ({"label": "class1"}, "class 1"),
        ({"site": "hand"}, "recorded for none"),
        ({"age": "5"}, "Unknown key"),
    ],
)
def test_a_filter_nobody_knows_is_told(index: CaseIndex, where: dict[str, str], said: str) -> None:
    with pytest.raises(IndexQueryError, match=said):
        index.search_similar(IMAGES[0], 5, where)


def test_a_batch_of_queries_is_its_queries(index: CaseIndex) -> None:
    queries = unit(7, 8)
    found = index.search(queries, 3, "notes")
    assert found == [index.search_notes(query, 3) for query in queries]
    assert index.search(queries[:0], 3) == []
    with pytest.raises(IndexQueryError, match="side must be"):
        index.search(queries, 3, "note")  # type: ignore[arg-type]


@pytest.mark.parametrize("exact_up_to", [1000, 40])
def test_adding_and_removing_is_building_anew(index: CaseIndex, exact_up_to: int) -> None:
    thumbnails = list(index.thumbnails)
    first = CaseIndex.build(table(30), IMAGES[:30], NOTES[:30], thumbnails[:30], "f" * 64, exact_up_to)
    grown = first.add(table().iloc[30:], IMAGES[30:], NOTES[30:], thumbnails[30:], exact_up_to)
    shrunk = grown.remove([f"set/{row}" for row in range(0, N, 2)], exact_up_to)
    assert len(first) == 30 and len(grown) == N and len(shrunk) == N // 2
    whole = CaseIndex.build(table(), IMAGES, NOTES, thumbnails, "f" * 64, exact_up_to)
    for query in unit(5, 9):
        assert grown.search_notes(query, 5) == whole.search_notes(query, 5)
        odd = [row for row in np.argsort(-(IMAGES @ query), kind="stable") if row % 2][:1]
        assert shrunk.search_similar(query, N)[0].case_id == f"set/{odd[0]}"
    assert shrunk.thumbnails[-1] is None and shrunk.thumbnails[0] == thumbnails[1]
    assert shrunk.search_notes(NOTES[7], 1)[0].note == "note 7"


def test_what_cannot_be_added_or_removed_is_told(index: CaseIndex) -> None:
    with pytest.raises(IndexQueryError, match="twice, set/3 first"):
        index.add(table().iloc[3:4], IMAGES[3:4], NOTES[3:4], [None])
    new = table(1).assign(case_id="set/new")
    with pytest.raises(IndexQueryError, match="notes of all cases or of none"):
        index.add(new, IMAGES[:1], None, [None])
    with pytest.raises(IndexQueryError, match=r"\(1, 16\)"):
        index.add(new, IMAGES[:1, :8], NOTES[:1], [None])
    with pytest.raises(IndexQueryError, match="not of unit length"):
        index.add(new, IMAGES[:1] * np.nan, NOTES[:1], [None])
    with pytest.raises(IndexQueryError, match="not in the index, nobody first"):
        index.remove(["nobody", "set/1"])
    with pytest.raises(IndexQueryError, match="at least one case"):
        index.remove([f"set/{row}" for row in range(N)])


def test_an_index_of_before_modality_was_kept_still_loads(index: CaseIndex, tmp_path: Path) -> None:
    index.save(tmp_path)
    path = tmp_path / "cases.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["modality"]), path)
    loaded = CaseIndex.load(tmp_path)
    assert loaded.search_notes(NOTES[5], 1)[0].modality is None and loaded.table["modality"].isna().all()
    with pytest.raises(IndexQueryError, match="recorded for none"):
        loaded.search_notes(NOTES[5], 1, {"modality": "clinical"})
