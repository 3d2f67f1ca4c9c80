"""The one class most people use: what it answers, from where it loads, and what it refuses to load."""

from __future__ import annotations

import io
import json
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dermnote import DermNote, LesionMetadata
from dermnote.errors import BundleError, ConfigError, HubError, IndexQueryError, NotesError, PictureError
from dermnote.hub import push
from dermnote.hub.manifest import write_manifest
from dermnote.images.opening import encode_jpeg
from dermnote.taxonomy import EIGHT
from tests.hub_server import READ_TOKEN, WRITE_TOKEN, running_hub
from tests.micro_bundle import lesion, make_bundle


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles") / "both")


@pytest.fixture(scope="module")
def model(folder: Path) -> DermNote:
    return DermNote.from_pretrained(folder)


@pytest.fixture(scope="module")
def pictures_only(tmp_path_factory: pytest.TempPathFactory) -> DermNote:
    return DermNote.from_pretrained(make_bundle(tmp_path_factory.mktemp("bundles") / "image", multimodal=False))


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Iterator[Path]:
    shutil.copytree(folder, tmp_path / "copy")
    yield tmp_path / "copy"
    shutil.rmtree(tmp_path / "copy")


def test_classes_come_ranked_with_probabilities_that_sum_to_one(model: DermNote) -> None:
    found = model.classify(lesion(3))
    assert {each.label for each in found} == {each.name for each in EIGHT}
    shares = [each.probability for each in found]
    assert shares == sorted(shares, reverse=True) and sum(shares) == pytest.approx(1, abs=1e-5)
    for each in found:
        assert EIGHT[each.class_id].name == each.label and EIGHT[each.class_id].malignancy == each.malignancy


def test_temperature_divides_the_logits(model: DermNote) -> None:
    """A reference in numpy: p_T is proportional to p_1 to the power of 1/T."""
    flat = DermNote(model.model, replace(model.config, temperature=4.0), model.index)
    one, four = (np.array([p.probability for p in m.classify(lesion(3))]) for m in (model, flat))
    expected = one ** (1 / 4)
    np.testing.assert_allclose(four, expected / expected.sum(), atol=1e-5)


def test_a_picture_is_read_once_for_all_that_the_page_shows(model: DermNote, monkeypatch: pytest.MonkeyPatch) -> None:
    from dermnote.app.case_cards import read_case
    from dermnote.app.service import AppService
    from dermnote.models import batch_encoding

    picture, opened = lesion(5), []
    alone = (model.classify(picture), model.find_notes(picture, 3), model.find_similar(picture, 3))
    note, plain = model.write_note(picture), batch_encoding.prepare_picture
    monkeypatch.setattr(batch_encoding, "prepare_picture", lambda *given: opened.append(given) or plain(*given))
    read = model.read_image(picture)
    assert (model.classify(read), model.find_notes(read, 3), model.find_similar(read, 3)) == alone
    assert model.write_note(read) == note
    assert len(opened) == 1
    assert read_case(AppService(model), picture, "dermoscopy").note.note == note
    assert len(opened) == 2


def test_every_kind_of_picture_gives_the_same_answer(model: DermNote, tmp_path: Path) -> None:
    picture = lesion(4)
    picture.save(tmp_path / "x.png")
    data = (tmp_path / "x.png").read_bytes()
    kinds = [picture, tmp_path / "x.png", str(tmp_path / "x.png"), data, io.BytesIO(data), np.asarray(picture)]
    vectors = model.encode_image(kinds)
    np.testing.assert_allclose(vectors, np.repeat(vectors[:1], len(kinds), axis=0), atol=1e-6)


def test_vectors_are_unit_rows_whatever_the_batch(model: DermNote) -> None:
    pictures = [lesion(i) for i in range(5)]
    by_two, at_once = model.encode_image(pictures, batch_size=2), model.encode_image(pictures, batch_size=5)
    assert by_two.dtype == np.float32 and by_two.shape == (5, model.config.embed_dim)
    np.testing.assert_allclose(np.linalg.norm(by_two, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(by_two, at_once, atol=1e-4)
    assert model.encode_image([]).shape == (0, model.config.embed_dim)
    texts = ["a note", "a longer note of a melanoma", "brown"]
    np.testing.assert_allclose(model.encode_text(texts, batch_size=1), model.encode_text(texts), atol=1e-4)
    np.testing.assert_array_equal(model.encode_text("a note"), model.encode_text(["a note"]))


def test_query_and_index_see_a_picture_alike(model: DermNote) -> None:
    """Also through the JPEG that a cases folder keeps; a crop or another scaling would be seen at once."""
    for row in (0, 5, 11):
        stored = model.index._images.reconstruct(row)
        asked, as_jpeg, cropped = (
            model.encode_image([picture], modality)[0]
            for picture, modality in (
                (lesion(row), None),
                (encode_jpeg(lesion(row)), None),
                (lesion(row), "dermoscopy"),
            )
        )
        away = np.linalg.norm(cropped - stored)
        assert np.linalg.norm(asked - stored) < 1e-4 < away
        assert np.linalg.norm(as_jpeg - stored) < 0.5 * away


def test_notes_and_pictures_are_found_across(model: DermNote) -> None:
    notes = model.find_notes(lesion(2), k=4)
    assert len(notes) == 4 and all(hit.note for hit in notes)
    assert [hit.score for hit in notes] == sorted((hit.score for hit in notes), reverse=True)
    by_text = model.find_images("diagnosed as melanoma", k=3)
    expected = model.index.search_images(model.encode_text(["diagnosed as melanoma"])[0], 3)
    assert by_text == expected and by_text[0].thumbnail is not None


@pytest.mark.parametrize("text", ["", "  \n"])
def test_no_text_finds_no_picture(model: DermNote, text: str) -> None:
    with pytest.raises(IndexQueryError, match="no text"):
        model.find_images(text)


def test_an_image_only_model_says_so(pictures_only: DermNote) -> None:
    assert len(pictures_only.classify(lesion(1))) == len(EIGHT)
    assert len(pictures_only.find_similar(lesion(1), 3)) == 3
    for call in (lambda: pictures_only.find_images("melanoma"), lambda: pictures_only.find_notes(lesion(1))):
        with pytest.raises(IndexQueryError, match="pictures alone"):
            call()


def test_a_note_from_metadata_is_the_template_s(model: DermNote) -> None:
    told = model.write_note(metadata={"label": "melanoma", "malignancy": "malignant", "age": float("nan")})
    assert told.strategy == "m" and "melanoma" in told.text and " nan" not in told.text
    assert told.audit is not None and told.audit["counts"]["supported"] == 2 and not told.audit["contradicted"]
    assert told == model.write_note(lesion(1), LesionMetadata(label="melanoma", malignancy="malignant"))


def test_a_note_from_the_picture_says_that_its_class_is_a_guess(model: DermNote) -> None:
    best = model.classify(lesion(1))[0]
    for known in (None, {}, {"age": 50, "site": "back"}):
        note = model.write_note(lesion(1), known)
        assert note.text.startswith(f"Class predicted by the model from the picture, not confirmed: {best.label}")
        assert "never a diagnosis" in note.text and "diagnosed" not in note.text
        assert note.audit is not None and note.audit["confirmed"] is False and "back" not in note.text
    assert "back" in model.write_note(lesion(1), {"age": 50, "site": "back"}, demographics=True).text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "nothing to write from"),
        ({"metadata": {}}, "nothing to write"),
        ({"metadata": {"lable": "melanoma"}}, "nearest known key is 'label'"),
        ({"metadata": {"label": "melanoma", "age": "old"}}, "age is not a number"),
        ({"metadata": {"label": "melanoma"}, "strategy": "m+p1"}, "needs the picture"),
        ({"metadata": {"label": "melanoma"}, "strategy": "m2"}, "Unknown note strategy"),
    ],
)
def test_what_cannot_be_written_is_one_clear_line(model: DermNote, arguments: dict, words: str) -> None:
    with pytest.raises(NotesError, match=words):
        model.write_note(**arguments)


def test_a_file_that_is_no_picture_is_one_clear_line(model: DermNote, tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("not a picture")
    with pytest.raises(PictureError, match=r"notes\.jpg"):
        model.classify(tmp_path / "notes.jpg")


def test_many_threads_get_what_one_gets(model: DermNote) -> None:
    queries = [(lesion(i), f"text number {i} " * (i + 1)) for i in range(6)]

    def ask(query: tuple) -> tuple:
        return model.encode_image([query[0]])[0], model.encode_text([query[1]])[0]

    alone = [ask(query) for query in queries]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(ask, queries))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert not torch.is_inference_mode_enabled()


def test_a_server_has_all_passes_in_one_thread(folder: Path, model: DermNote) -> None:
    confined, seen = DermNote.from_pretrained(folder), set()
    for network in (confined.model.image_encoder, confined.model.text_encoder):
        for part in network.modules():
            part.register_forward_pre_hook(lambda *_: seen.add(threading.current_thread().name))
    with ThreadPoolExecutor(1, "model") as executor:
        confined.compute_in(executor)
        assert confined.classify(lesion(1)) == model.classify(lesion(1))
        assert confined.find_images("a dark spot", k=2) == model.find_images("a dark spot", k=2)
        assert confined.explain(lesion(1)).score == pytest.approx(model.explain(lesion(1)).score, abs=1e-5)
    assert seen == {"model_0"}


def test_the_hub_gives_what_the_folder_gives(folder: Path, model: DermNote, tmp_path: Path, monkeypatch) -> None:
    with running_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
        done = push(folder, "org/name", private=True, token=WRITE_TOKEN)
        pulled = DermNote.from_pretrained("org/name", token=READ_TOKEN)
        assert (pulled.source, pulled.revision) == ("org/name", done.commit)
        assert pulled.classify(lesion(1)) == model.classify(lesion(1))
        assert pulled.find_notes(lesion(1)) == model.find_notes(lesion(1))
    offline = DermNote.from_pretrained("org/name", local_files_only=True)
    assert offline.revision == done.commit and offline.card == model.card
    assert offline.find_notes(lesion(1)) == model.find_notes(lesion(1))


def test_only_what_a_verb_needs_is_downloaded(folder: Path, model: DermNote, tmp_path: Path, monkeypatch) -> None:
    with running_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        push(folder, "org/name", token=WRITE_TOKEN)
        pulled = DermNote.from_pretrained("org/name", cache_dir=tmp_path)
        assert pulled.classify(lesion(1)) == model.classify(lesion(1)) and pulled.card == model.card
        np.testing.assert_array_equal(pulled.encode_text(["a nevus"]), model.encode_text(["a nevus"]))
        assert not list(tmp_path.rglob("*.faiss")) and not list(tmp_path.rglob("cases.parquet"))
        other = make_bundle(tmp_path / "other", seed=1)
        push(other, "org/name", token=WRITE_TOKEN)  # meanwhile somebody publishes another model
        assert pulled.find_notes(lesion(1)) == model.find_notes(lesion(1))
        only_model = DermNote.from_pretrained("org/name", cache_dir=tmp_path)
    with pytest.raises(HubError, match="not wholly in the local cache"), pytest.warns(UserWarning, match="not answer"):
        only_model.find_notes(lesion(1))
    assert only_model.classify(lesion(1))
    begun = time.monotonic()
    with pytest.warns(UserWarning, match="taken from the cache"):
        older = DermNote.from_pretrained("org/name", revision=pulled.revision, cache_dir=tmp_path)
        assert older.find_notes(lesion(1)) == model.find_notes(lesion(1))
    assert time.monotonic() - begun < 10  # the client alone would try for half a minute


def test_encode_tells_notes_from_pictures(model: DermNote, tmp_path: Path, capsys) -> None:
    lesion(2).save(tmp_path / "a.png")
    pictures = model.encode([tmp_path / "a.png", lesion(3)], show_progress=True)
    np.testing.assert_allclose(pictures, model.encode_image([lesion(2), lesion(3)]), atol=1e-5)
    assert "encoding" in capsys.readouterr().err
    notes = ["a nevus", "a much longer note on a melanoma with a blue-gray veil and an irregular network", "brown"]
    np.testing.assert_allclose(model.encode(notes, batch_size=2), model.encode_text(notes), atol=1e-5)
    assert model.encode([]).shape == (0, model.config.embed_dim) and capsys.readouterr().err == ""
    with pytest.raises(IndexQueryError, match="not both"):
        model.encode(["a nevus", lesion(3)])
    with pytest.raises(ConfigError, match="batch_size"):
        model.encode(notes, batch_size=0)


def test_half_the_digits_say_nearly_the_same(folder: Path, model: DermNote) -> None:
    short = DermNote.from_pretrained(folder, dtype="bfloat16", device="cpu")
    for one, other in (
        (short.encode_image([lesion(3)]), model.encode_image([lesion(3)])),
        (short.encode_text(["a nevus"]), model.encode_text(["a nevus"])),
    ):
        assert one.dtype == np.float32 and (one * other).sum() > 0.99
    assert sum(each.probability for each in short.classify(lesion(3))) == pytest.approx(1, abs=1e-5)
    with pytest.raises(ConfigError, match="float32, bfloat16"):
        DermNote.from_pretrained(folder, dtype="int8")  # type: ignore[arg-type]


def test_a_folder_says_what_it_is(model: DermNote, folder: Path) -> None:
    assert model.source == str(folder) and model.revision is None
    assert model.metrics == {} and "never a diagnosis" in model.card


def test_a_changed_index_is_refused_before_faiss_reads_it(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> None:
        raise AssertionError("faiss was asked to read an unchecked file")

    monkeypatch.setattr("faiss.read_index", read)
    path = copy / "index" / "images.faiss"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(BundleError, match=r"images\.faiss was changed"):
        DermNote.from_pretrained(copy)


@pytest.mark.parametrize(
    "name", ["model.safetensors", "index/cases.parquet", "text_encoder/tokenizer.json", "README.md"]
)
def test_a_missing_file_is_refused(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(BundleError, match="incomplete"):
        DermNote.from_pretrained(copy)


def test_an_unpickled_file_never_gets_near(copy: Path) -> None:
    (copy / "pytorch_model.bin").write_bytes(b"\x80\x04cos\nsystem\n.")
    with pytest.raises(BundleError, match="must not be in a bundle"):
        DermNote.from_pretrained(copy)


def test_a_bundle_without_its_manifest_is_none(copy: Path) -> None:
    (copy / "manifest.json").unlink()
    with pytest.raises(BundleError, match="not a DermNote bundle"):
        DermNote.from_pretrained(copy)


def test_weights_and_index_of_two_models_do_not_mix(copy: Path, tmp_path: Path) -> None:
    other = make_bundle(tmp_path / "other", seed=1)
    shutil.copytree(other / "index", copy / "index", dirs_exist_ok=True)
    write_manifest(copy)
    with pytest.raises(BundleError, match="another model"):
        DermNote.from_pretrained(copy)
    shutil.copyfile(other / "model.safetensors", copy / "model.safetensors")
    write_manifest(copy)
    with pytest.raises(BundleError, match="not those its config"):
        DermNote.from_pretrained(copy)


def test_another_format_is_refused(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "format_version": 2}))
    write_manifest(copy)
    with pytest.raises(BundleError, match="format 2"):
        DermNote.from_pretrained(copy)


def test_without_a_starter_the_hint_says_how_to_make_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dermnote.loading.STARTER", tmp_path / "starter")
    with pytest.raises(BundleError, match=r"train\.starter"):
        DermNote.from_pretrained()


def test_zero_shot_is_the_cosine_to_each_text_best_first(model: DermNote) -> None:
    texts = ["a nevus", "a melanoma with a blue-gray veil", "healthy skin"]
    found = model.zero_shot(lesion(3), texts)
    cosines = dict(zip(texts, model.encode_text(texts) @ model.encode_image([lesion(3)])[0], strict=True))
    assert [match.text for match in found] == sorted(texts, key=lambda text: -cosines[text])
    assert [match.score for match in found] == pytest.approx([cosines[match.text] for match in found], abs=1e-5)
    for wrong in ([], "a nevus", ["a nevus", " "]):
        with pytest.raises(IndexQueryError, match="several texts"):
            model.zero_shot(lesion(3), wrong)


def test_searches_take_a_filter(model: DermNote) -> None:
    label = model.index.columns("label")["label"].iloc[0]
    found = [model.find_notes(lesion(3), 4, where={"label": label})]
    found += [model.find_similar(lesion(3), 4, where={"label": label}), model.find_images("x", 4, {"label": label})]
    assert all(hits and {hit.label for hit in hits} == {label} for hits in found)


def test_a_broken_picture_among_many_is_named(model: DermNote, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 no more")
    with pytest.raises(PictureError, match=r"broken\.jpg"):
        model.encode([lesion(1), tmp_path / "broken.jpg", lesion(2)])
