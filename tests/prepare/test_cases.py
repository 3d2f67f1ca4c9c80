"""The cases dataset: written and read as a folder, by `datasets`, and from a Hub over real HTTP."""

import io
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from dermnote.errors import CasesError, HubError
from tests.prepare.dataset_trees import noisy, table
from tests.servers.hub_server import READ_TOKEN, Hub
from tests.servers.hub_store import Blob
from tests.tiny_cases import write_cases
from train import generate_notes, prepare
from train.data.cases import Cases, cases_folder

COLUMNS = (
    "case_id source modality image class_id label malignancy subtype description age sex site skin_type group split"
)
COLUMNS += " extra crop content_sha256"  # the format that older folders have, too


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two small sources, one of them external: all four splits."""
    base = tmp_path_factory.mktemp("small")
    for source in ("near", "far"):
        rows = []
        for index in range(40):
            noisy(base / source / f"{index}.png", 2 * index + (source == "far"))
            row = {"file_name": f"{index}.png", "label": ("melanoma", "nevus")[index % 2], "ward": "é"}
            rows.append(row | {"age": "" if index == 3 else index + 20})
        table(base / source / "metadata.csv", *rows)
    out = base / "cases"
    specs = [f"near={base / 'near'}", f"far={base / 'far'}"]
    assert prepare.main([*specs, "--external", "far", "--out", str(out), "--workers", "1"]) == 0
    return out


def test_reading_all_and_parts(folder):
    cases = Cases.read(folder)
    assert len(cases) == len(cases.images) == 80
    assert list(cases.table.columns) == COLUMNS.replace(" image", "").split()
    assert list(cases.table.index) == list(range(80))
    row = cases.table.set_index("case_id").loc["near/3.png"]
    assert (row["label"], row["malignancy"], json.loads(row["extra"])) == ("melanocytic nevus", "benign", {"ward": "é"})
    assert np.isnan(row["age"])
    assert set(Cases.read(folder, splits=["external"]).table["source"]) == {"far"}
    assert len(Cases.read(folder, sources=["near"])) == 40
    part = Cases.read(folder, splits=["test", "validation"], sources=["near"])
    assert set(part.table["split"]) == {"test", "validation"}
    assert 0 < len(part) < 40


def test_images_belong_to_their_rows(folder):
    cases = Cases.read(folder)
    for index in (0, 33, 79):
        name, source = cases.table.loc[index, "case_id"].split("/")[1], cases.table.loc[index, "source"]
        with Image.open(folder.parent / source / name) as original:
            expected = original.convert("RGB").resize((341, 256), Image.Resampling.BILINEAR)
        stored = Image.open(io.BytesIO(cases.images[index]))
        assert stored.size == expected.size
        assert np.abs(np.asarray(stored, float) - np.asarray(expected, float)).mean() < 4


def test_selecting(folder):
    cases = Cases.read(folder)
    mask = cases.table["label"] == "melanoma"
    chosen = cases.select(mask)
    assert len(chosen) == len(chosen.images) == 40
    assert chosen.table["case_id"].tolist() == cases.table.loc[mask, "case_id"].tolist()
    assert list(chosen.table.index) == list(range(40))
    again = chosen.select([7, 2])
    rows = np.flatnonzero(mask)
    assert list(again.images) == [cases.images[rows[7]], cases.images[rows[2]]]
    assert again.images[-1] == cases.images[rows[2]]
    assert list(pickle.loads(pickle.dumps(again.images))) == list(again.images)  # for another process
    with pytest.raises(IndexError):
        again.images[2]


@pytest.mark.slow
def test_hugging_face_datasets_reads_the_folder(folder, tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path))
    assert set(loaded) == {"train", "validation", "test", "external"}
    assert isinstance(loaded["train"].features["image"], datasets.Image)
    assert list(loaded["train"].features) == COLUMNS.split()
    assert loaded["external"][0]["image"].size == (341, 256)
    assert sum(map(len, loaded.values())) == 80


def test_the_card_and_the_summary(folder):
    page = (folder / "README.md").read_text(encoding="utf-8")
    front = yaml.safe_load(page.split("---")[1])
    assert [each["split"] for each in front["configs"][0]["data_files"]] == ["train", "validation", "test", "external"]
    assert front["license"] == "other"
    assert "never for a diagnosis" in page and "{{" not in page
    cases = Cases.read(folder)
    assert cases.summary["splits"] == cases.table["split"].value_counts().to_dict()
    for name, source in cases.summary["sources"].items():
        kept = cases.table[cases.table["source"] == name]
        assert source["kept"] == len(kept)
        assert source["read"] == source["kept"] + sum(source["left_out"].values()) + source["rejected"]
        for split, classes in source["splits"].items():
            assert classes == kept.loc[kept["split"] == split, "label"].value_counts().to_dict()


def test_anything_missing_is_one_line(folder, tmp_path):
    for where, chosen, message in (
        (tmp_path, {}, r"no summary\.json"),
        (folder, {"splits": ["tset"]}, "has no split 'tset'"),
        (folder, {"sources": ["ham"]}, "has no source 'ham'"),
        (folder, {"splits": ["external"], "sources": ["near"]}, "has no cases in external of near"),
    ):
        with pytest.raises(CasesError, match=message):
            Cases.read(where, **chosen)
    copy = shutil.copytree(folder, tmp_path / "copy")
    next((copy / "data").glob("train-*")).write_bytes(b"PAR1 broken PAR1")
    with pytest.raises(CasesError, match="damaged"):
        Cases.read(copy)
    shutil.rmtree(copy / "data")
    with pytest.raises(CasesError, match="no cases in"):
        Cases.read(copy)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_cases(tmp_path / "cases", [0, 1, 2, 0], [1, 2])


def publish(hub: Hub, name: str, folder: Path, *, private: bool = False) -> str:
    """Upload as `hf upload --repo-type dataset` does, with a file that is not needed; return the commit's sha."""
    if ("datasets", name) not in hub.store.repos:
        hub.store.create("datasets", name, private, "hf_write")
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    files |= {"raw/scans.zip": b"far too large", "README.md": b"---\nlicense: mit\n---\n"}
    blobs = {path: Blob(data, lfs=path.endswith(".parquet")) for path, data in files.items()}
    hub.store.large |= {blob.sha256: blob.data for blob in blobs.values() if blob.lfs}
    return hub.store.repos["datasets", name].commit("main", blobs, "cases").sha


def same(ours: Cases, theirs: Cases) -> bool:
    return ours.table.equals(theirs.table) and list(ours.images) == list(theirs.images)


def test_a_folder_comes_before_a_dataset_of_its_name(tiny, tmp_path, monkeypatch, hub):
    monkeypatch.chdir(tmp_path.parent)
    relative = tiny.relative_to(tmp_path.parent)
    assert str(relative).count("/") == 1 and cases_folder(str(relative)) == relative
    assert hub.store.log == []


def test_a_dataset_reads_as_its_folder_does(hub, tiny, monkeypatch):
    publish(hub, "org/lesions", tiny)
    for in_memory in (0, 1e9):
        assert same(Cases.read("org/lesions", in_memory=in_memory), Cases.read(tiny))
    fetched = [path for method, path in hub.store.log if method == "GET" and "/resolve/" in path]
    assert fetched and not [path for path in fetched if "scans" in path]
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # from now on offline
    assert same(Cases.read("org/lesions"), Cases.read(tiny))
    with pytest.raises(HubError, match="cannot be reached") as caught:
        cases_folder("org/others")
    assert caught.value.retryable and "\n" not in str(caught.value)


def test_a_revision_is_kept_to(hub, tiny, tmp_path):
    first = publish(hub, "org/lesions", tiny)
    other = write_cases(tmp_path / "more", [0, 1, 2, 0, 1], [1])
    publish(hub, "org/lesions", other)
    assert same(Cases.read("org/lesions"), Cases.read(other))
    assert same(Cases.read(f"org/lesions@{first}"), Cases.read(tiny))
    with pytest.raises(HubError, match="no revision 'v9'") as caught:
        cases_folder("org/lesions@v9")
    assert "/datasets/org/lesions/commits" in caught.value.hint


@pytest.mark.parametrize("name", ["gone", "./org/name", "a/b/c", "/tmp/gone/cases", "org/name@", "org/na me"])
def test_a_name_that_can_only_be_a_folder_is_not_requested_from_the_hub(hub, name):
    with pytest.raises(CasesError, match="is not there") as caught:
        Cases.read(name)
    assert "train.prepare" in caught.value.hint and "org/name" in caught.value.hint
    assert hub.store.log == []


def test_an_unknown_and_a_private_dataset_are_one_line(hub, tiny, monkeypatch):
    publish(hub, "org/secret", tiny, private=True)
    for name in ("org/nothing", "org/secret"):
        with pytest.raises(HubError, match=f"no folder {name}; as a Hub dataset: {name} is not on the Hub") as caught:
            cases_folder(name)
        assert "hf auth login" in caught.value.hint and "\n" not in str(caught.value)
    monkeypatch.setenv("HF_TOKEN", READ_TOKEN)
    assert same(Cases.read("org/secret"), Cases.read(tiny))
    (tiny / "summary.json").unlink()
    publish(hub, "org/other", tiny)
    with pytest.raises(CasesError, match=r"org/other has no summary\.json"):
        Cases.read("org/other")


def test_notes_are_written_for_a_dataset(hub, tiny, tmp_path, capsys):
    publish(hub, "org/lesions", tiny)
    out = tmp_path / "notes.jsonl"
    assert generate_notes.main(["--cases", "org/lesions@main", "--strategy", "m", "--out", str(out)]) == 0
    assert len(out.read_text().splitlines()) == 6 and "org/lesions@main" in capsys.readouterr().out
