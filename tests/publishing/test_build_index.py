"""`python -m train.build_index`: the index is made by the published weights, and the card states measured figures."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from dermnote import DermNote
from dermnote.errors import BundleError, CasesError, ConfigError, NotesError
from dermnote.hub.manifest import verify_manifest
from dermnote.images.opening import encode_jpeg
from dermnote.notes.schema import notes_by_case
from train import build_index
from train.data.cases import Cases
from train.data.thumbnails import SIDE, thumbnail
from train.publishing.licences import strictest


@pytest.fixture(scope="module")
def model(bundle_folder: Path) -> DermNote:
    return DermNote.from_pretrained(bundle_folder)


def build(out: Path, run: Path, cases: Path, notes: Path | None, *more: str) -> Path:
    with_notes = ["--notes", str(notes)] if notes else []
    assert build_index.main(["--run", str(run), "--cases", str(cases), *with_notes, "--out", str(out), *more]) == 0
    return out


def front_matter(folder: Path) -> dict:
    return yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])


def test_the_bundle_is_complete_without_local_paths(bundle_folder: Path, run_folder: Path) -> None:
    verify_manifest(bundle_folder)
    names = {path.relative_to(bundle_folder).as_posix() for path in bundle_folder.rglob("*") if path.is_file()}
    assert {
        *("README.md", "config.json", "model.safetensors", "metrics.json", "manifest.json"),
        *("image_encoder/config.json", "image_encoder/model.safetensors"),
        *("text_encoder/config.json", "text_encoder/model.safetensors", "text_encoder/tokenizer.json"),
        *("index/images.faiss", "index/notes.faiss", "index/cases.parquet", "index/index.json"),
    } <= names
    for name in ("README.md", "metrics.json", "config.json", "index/index.json"):
        assert str(run_folder.parent) not in (bundle_folder / name).read_text(), name


def test_the_gallery_has_no_held_out_case_and_is_encoded_as_a_query(
    model: DermNote, cases_folder: Path, notes_file: Path
) -> None:
    assert set(model.index.table["split"]) == {"train", "validation"}
    assert len(model.index) == len(Cases.read(cases_folder, splits=["train", "validation"]))
    cases = Cases.read(cases_folder, splits=["train"])
    notes = notes_by_case(notes_file)
    ids = list(model.index.table["case_id"])
    for row in (0, 7, len(cases) - 1):
        stored = ids.index(cases.table["case_id"].iloc[row])
        query = model.encode_image([cases.images[row]], modality=None)[0]
        # At 64 px the index decoded the JPEG at half size, the query did not: equal to four digits.
        assert query @ model.index._images.vectors()[stored] > 0.9999
        text = notes[ids[stored]]["m"]
        assert model.index.table["note"].iloc[stored] == text
        np.testing.assert_allclose(model.encode_text([text])[0], model.index._notes.vectors()[stored], atol=1e-4)


def test_thumbnails_are_small_without_metadata(model: DermNote) -> None:
    for data in model.index.thumbnails[:5]:
        assert data is not None and b"Exif" not in data and max(Image.open(io.BytesIO(data)).size) == SIDE
    wide = thumbnail(encode_jpeg(Image.new("RGB", (512, 256), "red")))
    assert Image.open(io.BytesIO(wide)).size == (128, 64)


def test_the_card_has_the_figures_of_metrics_json(bundle_folder: Path, model: DermNote, cases_folder: Path) -> None:
    metrics, card, matter = model.metrics, model.card, front_matter(bundle_folder)
    block = metrics["splits"]["test"]["all"]
    assert f"{block['classification']['kappa']:.3f}" in card
    report = (bundle_folder / "report.md").read_text()
    for way in ("image_to_text", "text_to_image"):
        assert f"{block['retrieval']['masked'][way]['map']:.3f}" in card
        assert f"{block['retrieval']['as_written'][way]['map']:.3f}" in report
    assert len(card.split("---\n", 2)[2].splitlines()) < 200
    for name in ("confusion.png", "reliability.png"):
        assert Image.open(bundle_folder / name).width > 300 and f"]({name})" in card
    measured = {m["type"]: m["value"] for result in matter["model-index"][0]["results"] for m in result["metrics"]}
    assert measured["cohen_kappa"] == pytest.approx(block["classification"]["kappa"], abs=1e-4)
    summary = json.loads((cases_folder / "summary.json").read_text())
    assert matter["library_name"] == "dermnote" and "dermnote" in matter["tags"]
    assert matter["license"] == summary["sources"]["drawn"]["licence"]
    assert matter["pipeline_tag"] == "zero-shot-image-classification"
    assert model.config.temperature == metrics["temperature"]


@pytest.mark.slow
def test_options_of_precision_splits_and_licence(
    run_folder: Path, cases_folder: Path, notes_file: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    options = ["--dtype", "float16", "--sources", "drawn", "--splits", "test", "--licence", "mit", "--gallery"]
    small = build(tmp_path / "half", run_folder, cases_folder, notes_file, *options, "Drawn only.")
    weights = "image_encoder/model.safetensors"
    assert (small / weights).stat().st_size < 0.55 * (bundle_folder / weights).stat().st_size
    model = DermNote.from_pretrained(small)
    assert model.config.gallery == "Drawn only." and set(model.index.table["split"]) == {"test"}
    assert front_matter(small)["license"] == "mit" and "Drawn only." in model.card
    note = model.index.table["note"].iloc[0]
    np.testing.assert_allclose(model.encode_text([note])[0], model.index._notes.vectors()[0], atol=1e-5)


def test_without_metrics_the_card_says_not_measured(
    run_folder: Path, cases_folder: Path, notes_file: Path, tmp_path: Path
) -> None:
    out = build(tmp_path / "b", run_folder, cases_folder, notes_file, "--without-metrics")
    assert not (out / "metrics.json").exists() and "model-index" not in front_matter(out)
    assert "Not measured" in (out / "README.md").read_text()
    assert DermNote.from_pretrained(out).metrics == {}


@pytest.mark.slow
def test_mismatched_inputs_are_refused_without_leftovers(
    run_folder: Path, cases_folder: Path, notes_file: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    out, other = tmp_path / "out", tmp_path / "run"
    shutil.copytree(run_folder, other)
    path = other / "metrics.json"
    metrics = json.loads(path.read_text())
    path.write_text(json.dumps({**metrics, "fingerprint": "0" * 64}))
    with pytest.raises(BundleError, match="other weights"):
        build(out, other, cases_folder, notes_file)
    path.write_text(json.dumps({key: metrics[key] for key in metrics if key != "quick"}))
    with pytest.raises(BundleError, match="older DermNote"):
        build(out, other, cases_folder, notes_file)
    path.unlink()
    with pytest.raises(BundleError, match=r"metrics\.json is missing") as caught:
        build(out, other, cases_folder, notes_file)
    assert "train.evaluate" in caught.value.hint
    (tmp_path / "notes.jsonl").write_text("")
    with pytest.raises(NotesError, match="None of the"):
        build(out, run_folder, cases_folder, tmp_path / "notes.jsonl")
    with pytest.raises(ConfigError, match="not a licence id"):
        build(out, run_folder, cases_folder, notes_file, "--licence", "CC BY 4.0")
    changed = shutil.copytree(cases_folder, tmp_path / "cases")
    summary = json.loads((changed / "summary.json").read_text())
    (changed / "summary.json").write_text(json.dumps({**summary, "classnames": ["other"]}))
    with pytest.raises(CasesError, match="other classes"):
        build(out, run_folder, changed, notes_file)
    assert not out.exists() and not list(tmp_path.glob(".out*"))


def test_cases_without_a_note_are_left_out_and_counted(cases_folder: Path, model: DermNote) -> None:
    cases = Cases.read(cases_folder, splits=["test"])
    first = cases.table["case_id"].iloc[0]
    gallery = build_index.select_gallery(cases, {first: {"p3": "other strategy", "m": "the note"}}, model.config)
    assert gallery.notes == ("the note",) and gallery.without_note == len(cases) - 1


def test_the_strictest_licence_applies() -> None:
    for given, licence in (
        ("cc-by-4.0", "cc-by-4.0"),
        ("cc0-1.0 cc-by-nc-4.0 apache-2.0", "cc-by-nc-4.0"),
        ("cc0-1.0 cc-by-4.0", "cc-by-4.0"),
        ("apache-2.0 cc0-1.0", "apache-2.0"),
        ("apache-2.0 cc-by-4.0", "cc-by-4.0"),
        ("cc-by-sa-4.0 cc-by-nc-4.0", "other"),
        ("cc-by-nc-sa-4.0 cc-by-nc-4.0", "cc-by-nc-sa-4.0"),
        ("cc-by-4.0 custom-terms", "other"),
        ("", "other"),
    ):
        assert strictest(given.split()) == licence
