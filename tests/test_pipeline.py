"""`DermNote`: results, inputs, sources (starter, folder, Hub), and refusal of damaged bundles."""

from __future__ import annotations

import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dermnote import DermNote, LesionMetadata
from dermnote.app.case_cards import read_case
from dermnote.app.service import AppService
from dermnote.errors import BundleError, ConfigError, HubError, ImageError, IndexQueryError, NotesError
from dermnote.hub import push
from dermnote.hub.bundle import STARTER
from dermnote.hub.manifest import verify_manifest, write_manifest
from dermnote.images.opening import encode_jpeg
from dermnote.models import batch_encoding
from dermnote.taxonomy import EIGHT
from tests.micro_bundle import lesion, make_bundle
from tests.servers.hub_server import READ_TOKEN, WRITE_TOKEN, Hub
from train.data.sources import drawn


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles") / "both")


@pytest.fixture(scope="module")
def model(folder: Path) -> DermNote:
    return DermNote.from_pretrained(folder)


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_classes_are_ranked_and_sum_to_one(model: DermNote, folder: Path) -> None:
    predictions = model.classify(lesion(3))
    assert {each.label for each in predictions} == {each.name for each in EIGHT}
    probabilities = [each.probability for each in predictions]
    assert probabilities == sorted(probabilities, reverse=True) and sum(probabilities) == pytest.approx(1, abs=1e-5)
    for each in predictions:
        assert EIGHT[each.class_id].name == each.label and EIGHT[each.class_id].malignancy == each.malignancy
    assert model.source == str(folder) and model.revision is None
    assert model.metrics == {} and "never a diagnosis" in model.card


def test_temperature_divides_the_logits(model: DermNote) -> None:
    """Reference in numpy: p_T is proportional to p_1 to the power of 1/T."""
    flat = DermNote(model.model, replace(model.config, temperature=4.0), model.index)
    one, four = (np.array([p.probability for p in m.classify(lesion(3))]) for m in (model, flat))
    expected = one ** (1 / 4)
    np.testing.assert_allclose(four, expected / expected.sum(), atol=1e-5)


def test_an_encoded_image_is_not_encoded_again(model: DermNote, monkeypatch: pytest.MonkeyPatch) -> None:
    image, opened, prepare = lesion(5), [], batch_encoding.prepare_image
    expected = (model.classify(image), model.find_notes(image, 3), model.find_similar(image, 3))
    note = model.write_note(image)
    monkeypatch.setattr(batch_encoding, "prepare_image", lambda *given: opened.append(given) or prepare(*given))
    read = model.read_image(image)
    assert (model.classify(read), model.find_notes(read, 3), model.find_similar(read, 3)) == expected
    assert model.write_note(read) == note and len(opened) == 1
    assert read_case(AppService(model), image, "dermoscopy").note.note == note and len(opened) == 2


def test_embeddings_are_unit_rows_for_any_batch_size(model: DermNote) -> None:
    images = [lesion(i) for i in range(5)]
    by_two, at_once = model.encode_image(images, batch_size=2), model.encode_image(images, batch_size=5)
    assert by_two.dtype == np.float32 and by_two.shape == (5, model.config.embed_dim)
    np.testing.assert_allclose(np.linalg.norm(by_two, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(by_two, at_once, atol=1e-4)
    assert model.encode_image([]).shape == (0, model.config.embed_dim)
    texts = ["a note", "a longer note of a melanoma", "brown"]
    np.testing.assert_allclose(model.encode_text(texts, batch_size=1), model.encode_text(texts), atol=1e-4)
    np.testing.assert_array_equal(model.encode_text("a note"), model.encode_text(["a note"]))


def test_query_and_index_share_their_geometry(model: DermNote) -> None:
    """Also through a stored JPEG; a crop or another scaling gives a much larger distance."""
    for row in (0, 5, 11):
        stored = model.index._images.vectors()[row]
        inputs = ((lesion(row), None), (encode_jpeg(lesion(row)), None), (lesion(row), "dermoscopy"))
        same, jpeg, cropped = (
            np.linalg.norm(model.encode_image([image], modality)[0] - stored) for image, modality in inputs
        )
        assert same < 1e-4 < cropped and jpeg < 0.5 * cropped


def test_searches_across_modalities_and_with_filters(model: DermNote) -> None:
    notes = model.find_notes(lesion(2), k=4)
    assert len(notes) == 4 and all(hit.note for hit in notes)
    assert [hit.score for hit in notes] == sorted((hit.score for hit in notes), reverse=True)
    by_text = model.find_images("diagnosed as melanoma", k=3)
    expected = model.index.search_images(model.encode_text(["diagnosed as melanoma"])[0], 3)
    assert by_text == expected and by_text[0].thumbnail is not None
    where = {"label": model.index.columns("label")["label"].iloc[0]}
    filtered = [search(lesion(3), 4, where=where) for search in (model.find_notes, model.find_similar)]
    for hits in (*filtered, model.find_images("x", 4, where)):
        assert hits and {hit.label for hit in hits} == set(where.values())
    for text in ("", "  \n"):
        with pytest.raises(IndexQueryError, match="search text is empty"):
            model.find_images(text)


def test_zero_shot_ranks_by_cosine(model: DermNote) -> None:
    texts = ["a nevus", "a melanoma with a blue-gray veil", "healthy skin"]
    matches = model.zero_shot(lesion(3), texts)
    cosines = dict(zip(texts, model.encode_text(texts) @ model.encode_image([lesion(3)])[0], strict=True))
    assert [match.text for match in matches] == sorted(texts, key=lambda text: -cosines[text])
    assert [match.score for match in matches] == pytest.approx([cosines[match.text] for match in matches], abs=1e-5)
    for wrong in ([], "a nevus", ["a nevus", " "]):
        with pytest.raises(IndexQueryError, match="several texts"):
            model.zero_shot(lesion(3), wrong)


def test_an_image_only_model_has_no_text_search(tmp_path: Path) -> None:
    image_only = DermNote.from_pretrained(make_bundle(tmp_path / "image", multimodal=False))
    assert len(image_only.classify(lesion(1))) == len(EIGHT) and len(image_only.find_similar(lesion(1), 3)) == 3
    for call in (lambda: image_only.find_images("melanoma"), lambda: image_only.find_notes(lesion(1))):
        with pytest.raises(IndexQueryError, match="pictures alone"):
            call()


def test_notes_from_metadata_and_from_the_predicted_class(model: DermNote) -> None:
    note = model.write_note(metadata={"label": "melanoma", "malignancy": "malignant", "age": float("nan")})
    assert note.strategy == "m" and "melanoma" in note.text and " nan" not in note.text
    assert note.audit is not None and note.audit["counts"]["supported"] == 2 and not note.audit["contradicted"]
    assert note == model.write_note(lesion(1), LesionMetadata(label="melanoma", malignancy="malignant"))
    best = model.classify(lesion(1))[0]
    for known in (None, {}, {"age": 50, "site": "back"}):
        note = model.write_note(lesion(1), known)
        assert "never a diagnosis" in note.text and "diagnosed" not in note.text and best.label in note.text
        assert note.audit is not None and note.audit["confirmed"] is False and "back" not in note.text
    assert "back" in model.write_note(lesion(1), {"age": 50, "site": "back"}, demographics=True).text


def test_invalid_note_requests_are_refused(model: DermNote) -> None:
    for metadata, strategy, message in (
        (None, "m", "needs an image or metadata"),
        ({}, "m", "nothing to write"),
        ({"lable": "melanoma"}, "m", "nearest known key is 'label'"),
        ({"label": "melanoma", "age": "old"}, "m", "age is not a number"),
        ({"label": "melanoma"}, "m+p1", "needs the image"),
        ({"label": "melanoma"}, "m2", "Unknown note strategy"),
    ):
        with pytest.raises(NotesError, match=message):
            model.write_note(metadata=metadata, strategy=strategy)


def test_threads_get_the_results_of_one_thread(model: DermNote) -> None:
    queries = [(lesion(i), f"text number {i} " * (i + 1)) for i in range(6)]

    def encode(query: tuple) -> tuple:
        return model.encode_image([query[0]])[0], model.encode_text([query[1]])[0]

    with ThreadPoolExecutor(3) as pool:
        for one, other in zip(map(encode, queries), pool.map(encode, queries), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)
    assert not torch.is_inference_mode_enabled()


def test_all_passes_run_in_the_given_executor(folder: Path, model: DermNote) -> None:
    confined, threads = DermNote.from_pretrained(folder), set()
    for network in (confined.model.image_encoder, confined.model.text_encoder):
        for part in network.modules():
            part.register_forward_pre_hook(lambda *_: threads.add(threading.current_thread().name))
    with ThreadPoolExecutor(1, "model") as executor:
        confined.compute_in(executor)
        assert confined.classify(lesion(1)) == model.classify(lesion(1))
        assert confined.find_images("a dark spot", k=2) == model.find_images("a dark spot", k=2)
        assert confined.explain(lesion(1)).score == pytest.approx(model.explain(lesion(1)).score, abs=1e-5)
    assert threads == {"model_0"}


def test_encode_takes_notes_or_images(model: DermNote, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lesion(2).save(tmp_path / "a.png")
    images = model.encode([tmp_path / "a.png", lesion(3)], show_progress=True)
    np.testing.assert_allclose(images, model.encode_image([lesion(2), lesion(3)]), atol=1e-5)
    assert "encoding" in capsys.readouterr().err
    notes = ["a nevus", "a much longer note on a melanoma with a blue-gray veil and an irregular network", "brown"]
    np.testing.assert_allclose(model.encode(notes, batch_size=2), model.encode_text(notes), atol=1e-5)
    assert model.encode([]).shape == (0, model.config.embed_dim) and capsys.readouterr().err == ""
    with pytest.raises(IndexQueryError, match="not both"):
        model.encode(["a nevus", lesion(3)])
    with pytest.raises(ConfigError, match="batch_size"):
        model.encode(notes, batch_size=0)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 no more")
    with pytest.raises(ImageError, match=r"broken\.jpg"):
        model.encode([lesion(1), tmp_path / "broken.jpg", lesion(2)])


@pytest.mark.slow
def test_bfloat16_is_close_to_float32(folder: Path, model: DermNote) -> None:
    short = DermNote.from_pretrained(folder, dtype="bfloat16", device="cpu")
    for item in (lesion(3), "a nevus"):
        one, other = short.encode([item]), model.encode([item])
        assert one.dtype == np.float32 and (one * other).sum() > 0.99
    assert sum(each.probability for each in short.classify(lesion(3))) == pytest.approx(1, abs=1e-5)
    with pytest.raises(ConfigError, match="float32, bfloat16"):
        DermNote.from_pretrained(folder, dtype="int8")  # type: ignore[arg-type]


@pytest.mark.slow
def test_hub_and_folder_are_equal_and_parts_are_downloaded_on_demand(
    folder: Path, model: DermNote, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = push(folder, "org/name", private=True, token=WRITE_TOKEN)
    pulled = DermNote.from_pretrained("org/name", token=READ_TOKEN, cache_dir=tmp_path)
    assert (pulled.source, pulled.revision, pulled.card) == ("org/name", result.commit, model.card)
    assert pulled.classify(lesion(1)) == model.classify(lesion(1))
    assert not list(tmp_path.rglob("*.faiss")) and not list(tmp_path.rglob("cases.parquet"))
    push(make_bundle(tmp_path / "other", seed=1), "org/name", token=WRITE_TOKEN)  # another model meanwhile
    assert pulled.find_notes(lesion(1)) == model.find_notes(lesion(1))
    newer = DermNote.from_pretrained("org/name", token=READ_TOKEN, cache_dir=tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # from now on without a connection
    assert newer.classify(lesion(1))
    not_downloaded = pytest.raises(HubError, match="not completely in the local cache")
    with not_downloaded, pytest.warns(UserWarning, match="not answer"):
        newer.find_notes(lesion(1))
    with pytest.warns(UserWarning, match="cached copy"):
        older = DermNote.from_pretrained("org/name", revision=result.commit, cache_dir=tmp_path)
        assert older.find_notes(lesion(1)) == model.find_notes(lesion(1))
    offline = DermNote.from_pretrained("org/name", result.commit, local_files_only=True, cache_dir=tmp_path)
    assert offline.find_notes(lesion(1)) == model.find_notes(lesion(1))


def test_a_changed_index_is_refused_before_faiss_reads_it(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faiss.read_index", lambda *_: pytest.fail("an unchecked file was read"))
    path = copy / "index" / "images.faiss"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(BundleError, match=r"images\.faiss was changed"):
        DermNote.from_pretrained(copy)


@pytest.mark.parametrize("name", ["model.safetensors", "index/cases.parquet", "manifest.json"])
def test_a_missing_file_is_refused(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(BundleError, match="not a DermNote bundle" if name == "manifest.json" else "incomplete"):
        DermNote.from_pretrained(copy)


@pytest.mark.slow
def test_pickles_other_formats_and_mixed_models_are_refused(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (copy / "pytorch_model.bin").write_bytes(b"\x80\x04cos\nsystem\n.")
    with pytest.raises(BundleError, match="must not be in a bundle"):
        DermNote.from_pretrained(copy)
    (copy / "pytorch_model.bin").unlink()
    other = make_bundle(tmp_path / "other", seed=1)
    shutil.copytree(other / "index", copy / "index", dirs_exist_ok=True)
    write_manifest(copy)
    with pytest.raises(BundleError, match="another model"):
        DermNote.from_pretrained(copy)
    shutil.copyfile(other / "model.safetensors", copy / "model.safetensors")
    write_manifest(copy)
    with pytest.raises(BundleError, match="not those its config"):
        DermNote.from_pretrained(copy)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "format_version": 2}))
    write_manifest(copy)
    with pytest.raises(BundleError, match="format 2"):
        DermNote.from_pretrained(copy)
    monkeypatch.setattr("dermnote.hub.bundle.STARTER", tmp_path / "starter")
    with pytest.raises(BundleError, match=r"train\.starter"):
        DermNote.from_pretrained()


@pytest.mark.slow
def test_the_embedded_starter_is_complete_and_reads_unseen_drawn_lesions() -> None:
    verify_manifest(STARTER)
    assert sum(path.stat().st_size for path in STARTER.rglob("*") if path.is_file()) < 12_000_000
    starter = DermNote.from_pretrained()
    for words in (*starter.config.sources, f"license: {starter.config.licence}", "never a diagnosis"):
        assert words in starter.card
    assert set(starter.index.table["source"]) == {"drawn"} and "drawn" in starter.config.gallery
    unseen = list(drawn.read("16,seed=20260"))  # a seed used neither for training nor for evaluation
    correct = [starter.classify(case.picture())[0].label == case.label for case in unseen]
    hits = [hit.label == case.label for case in unseen for hit in starter.find_images(case.description, k=5)]
    assert sum(correct) >= 0.8 * len(correct) and sum(hits) >= 0.8 * len(hits)
