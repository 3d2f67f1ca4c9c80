"""The app without a browser: what it refuses, what it escapes, what it lets strangers call."""

from __future__ import annotations

import base64
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from standin import StandIn, as_jpeg, scribble

from dermnote.app import cards, gallery_cards, launch
from dermnote.app.case_cards import read_case, search_gallery
from dermnote.app.endpoints import Endpoints
from dermnote.app.model.facts import facts, limits
from dermnote.app.page import build_page
from dermnote.app.service import (
    MAX_FIELD,
    MAX_HITS,
    MAX_TEXT,
    AppService,
    example_images,
    example_texts,
    need_age,
    parse_model_spec,
)
from dermnote.app.serving.uploads import open_upload, strip_metadata
from dermnote.errors import IndexQueryError, NotesError, PictureError
from dermnote.index.hit import Hit
from dermnote.models.prediction import percent

GPS, ORIENTATION = 0x8825, 0x0112
NASTY = '<img src=x onerror="alert(1)">&"\''


def sent(path: Path) -> SimpleNamespace:
    """What Gradio hands over for an uploaded file."""
    return SimpleNamespace(path=str(path), url=None)


@pytest.fixture(scope="module")
def answers() -> Endpoints:
    return Endpoints(AppService(StandIn()))


@pytest.mark.parametrize(
    ("setting", "source", "revision"),
    [
        ("", None, None),
        ("  ", None, None),
        ("org/name", "org/name", None),
        ("org/name@v1.2", "org/name", "v1.2"),
        ("org/name@", "org/name", None),
    ],
)
def test_the_model_setting_names_source_and_revision(setting: str, source: str | None, revision: str | None) -> None:
    assert parse_model_spec(setting) == (source, revision)


def test_a_folder_with_an_at_sign_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "mine@home"
    folder.mkdir()
    assert parse_model_spec(str(folder)) == (str(folder), None)


def test_a_model_that_cannot_be_loaded_is_one_line_and_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DERMNOTE_MODEL", str(tmp_path))
    assert launch.main() == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1 and "Traceback" not in said


@pytest.mark.parametrize("port", ["abc", "0", "70000", "80.5"])
def test_a_port_that_is_none_is_one_line_and_status_2(
    port: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRADIO_SERVER_PORT", port)
    assert launch.main() == 2
    assert "GRADIO_SERVER_PORT" in capsys.readouterr().err


class Launched:
    """A page that notes how it was launched."""

    local_url = "http://127.0.0.1:7860"

    def queue(self, **_: object) -> Launched:
        return self

    def launch(self, **options: object) -> None:
        self.options = options

    def block_thread(self) -> None:
        pass


@pytest.mark.parametrize(("space", "address"), [("", None), ("org/space", "0.0.0.0")])
def test_only_a_space_listens_beyond_its_own_machine(
    space: str, address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPACE_ID", space)
    demo, called = Launched(), []
    launch.launch(demo, lambda: called.append(True))  # type: ignore[arg-type]
    assert demo.options["server_name"] == address and called == [True]
    for risky in ("share", "show_error", "enable_monitoring", "ssr_mode"):
        assert demo.options[risky] is False


def test_a_text_file_named_jpg_is_refused_in_one_line_without_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "notes.jpg"
    path.write_text("patient seen on Monday\n")
    refused = open_upload(sent(path))
    assert isinstance(refused, PictureError)
    assert "notes.jpg" in str(refused)
    assert "\n" not in str(refused) and str(tmp_path) not in str(refused) and "PIL" not in str(refused)


def test_an_upload_is_turned_upright_and_loses_its_metadata_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[0x010F] = "a phone"
    exif.get_ifd(GPS)[1] = "N"
    Image.new("RGB", (300, 200), "salmon").save(path, exif=exif)
    strip_metadata(path)
    with Image.open(path) as kept:
        assert kept.size == (200, 300) and not kept.getexif() and "exif" not in kept.info
    assert b"a phone" not in path.read_bytes()
    picture = open_upload(sent(path))
    assert isinstance(picture, Image.Image) and picture.size == (200, 300)


def test_a_png_with_words_in_it_loses_them(tmp_path: Path) -> None:
    path, words = tmp_path / "scan.png", PngInfo()
    words.add_text("Patient", "somebody")
    scribble(2).save(path, pnginfo=words)
    strip_metadata(path)
    assert b"somebody" not in path.read_bytes() and isinstance(open_upload(sent(path)), Image.Image)


def test_a_plain_jpeg_and_what_is_no_picture_stay_as_they_are(tmp_path: Path) -> None:
    plain, letter = tmp_path / "plain.jpg", tmp_path / "letter.jpg"
    plain.write_bytes(as_jpeg(scribble(1)))
    letter.write_bytes(b"Dear colleague")
    before = plain.read_bytes()
    strip_metadata(plain), strip_metadata(letter)
    assert plain.read_bytes() == before and letter.read_bytes() == b"Dear colleague"


def test_a_data_url_is_read_and_a_wrong_one_refused() -> None:
    good = "data:image/jpeg;base64," + base64.b64encode(as_jpeg(scribble(3))).decode()
    assert isinstance(open_upload(SimpleNamespace(path=None, url=good)), Image.Image)
    for url in ("data:image/jpeg;base64,???", "data:text/html,x", "nonsense"):
        assert isinstance(open_upload(SimpleNamespace(path=None, url=url)), PictureError)


def test_endpoints_answer_with_plain_data(answers: Endpoints) -> None:
    picture = scribble(4)
    classes = answers.classify(picture)
    assert len(classes) == 8 and set(classes[0]) == {"label", "probability", "class_id", "malignancy", "description"}
    assert answers.classify(picture, "clinical")[0]["label"] != classes[0]["label"]
    notes = answers.find_notes(picture, k=3)
    assert len(notes) == 3 and notes[0]["thumbnail"].startswith("data:image/jpeg;base64,")
    assert len(answers.find_images("a dark spot", k=2)) == 2
    assert "basal cell carcinoma" in answers.write_note(label="basal cell carcinoma")["text"]


@pytest.mark.parametrize("k", [0, MAX_HITS + 1, float("nan"), None])
def test_k_out_of_range_is_refused(answers: Endpoints, k: float | None) -> None:
    with pytest.raises(IndexQueryError, match="k must"):
        answers.find_images("a dark spot", k)  # type: ignore[arg-type]


def test_empty_and_endless_texts_are_refused(answers: Endpoints) -> None:
    with pytest.raises(IndexQueryError, match="no text"):
        answers.find_images("  ")
    with pytest.raises(IndexQueryError, match="limit"):
        answers.find_images("a" * (MAX_TEXT + 1))
    with pytest.raises(NotesError, match="limit"):
        answers.write_note(description="a" * (MAX_FIELD + 1))
    with pytest.raises(PictureError, match="modality"):
        answers.classify(scribble(5), "x-ray")


@pytest.mark.parametrize(("typed", "years"), [("", None), (None, None), ("54", 54.0), (" 7.5 ", 7.5), (0, 0.0)])
def test_an_age_left_empty_is_not_known(typed: str | None, years: float | None) -> None:
    assert need_age(typed) == years


@pytest.mark.parametrize("typed", ["old", "-1", "121", "nan"])
def test_an_impossible_age_is_refused(typed: str) -> None:
    with pytest.raises(NotesError, match="age"):
        need_age(typed)


def test_what_comes_from_a_bundle_is_escaped() -> None:
    hit = Hit(NASTY, 0.5, NASTY, NASTY, NASTY, "train", malignancy=NASTY, thumbnail_jpeg=as_jpeg(scribble(6)))
    model = StandIn()
    model.source = model.revision = NASTY
    object.__setattr__(model.config, "gallery", NASTY)
    object.__setattr__(model.config, "sources", (NASTY,))
    pages = [
        show([hit], NASTY) for show in (gallery_cards.notes_card, gallery_cards.images_card, gallery_cards.similar_card)
    ]
    pages += [cards.alert(NASTY), cards.header(model), facts(model)]
    for page in pages:
        assert "<img src=x" not in page and 'onerror="' not in page


def test_every_surface_says_research_only() -> None:
    model = StandIn()
    reading = read_case(AppService(model), scribble(7), "dermoscopy")
    _, found = search_gallery(AppService(model), "a dark spot", 3)
    surfaces = [cards.header(model), limits(), cards.footer(), reading.classes, reading.note.origin]
    for surface in [*surfaces, reading.similar, found]:
        assert "Research use only, never a diagnosis." in surface
    for endpoint in (Endpoints.classify, Endpoints.find_notes, Endpoints.find_images, Endpoints.write_note):
        assert "never a diagnosis" in (endpoint.__doc__ or "")


def test_the_gallery_sentence_stands_with_every_hit() -> None:
    model = StandIn()
    service = AppService(model)
    reading, (_, found) = read_case(service, scribble(8), "dermoscopy"), search_gallery(service, "a dark spot", 3)
    similar_notes, similar_pictures = reading.similar.split("Similar pictures", 1)
    for shown in (similar_notes, similar_pictures, found):
        assert "drawn lesions only" in shown


def test_a_model_without_text_still_classifies_and_shows_similar_pictures() -> None:
    service = AppService(StandIn(multimodal=False))
    reading = read_case(service, scribble(9), "dermoscopy")
    assert "melanoma" in reading.classes and "Similar pictures" in reading.similar
    assert "Similar notes" not in reading.similar
    alert, _ = search_gallery(service, "a dark spot", 3)
    assert "pictures alone" in alert


def test_a_refused_picture_clears_what_was_shown() -> None:
    reading = read_case(AppService(StandIn()), PictureError("notes.jpg is no picture."), "dermoscopy")
    assert "notes.jpg" in reading.alert and reading.note.note is None and "dn-classes" not in reading.classes


@pytest.mark.parametrize(
    ("share", "words"), [(0.0, "<1%"), (0.004, "<1%"), (0.5, "50%"), (0.994, ">99%"), (1.0, ">99%")]
)
def test_a_percentage_never_claims_certainty(share: float, words: str) -> None:
    assert percent(share) == words


def test_examples_come_one_a_class() -> None:
    index = StandIn().index
    assert len(example_images(index)) == 6
    texts = example_texts(index)
    assert len(set(texts)) == len(texts) == 4 and all(text[0].isupper() for text in texts)


def test_strangers_may_call_the_endpoints_and_nothing_else() -> None:
    demo = build_page(StandIn())
    named = demo.get_api_info()["named_endpoints"]
    assert set(named) == {
        "/classify",
        "/compare",
        "/explain",
        "/find_images",
        "/find_notes",
        "/find_similar",
        "/write_note",
    }
    assert [each["parameter_name"] for each in named["/find_notes"]["parameters"]] == ["picture", "modality", "k"]
    assert not demo.get_api_info()["unnamed_endpoints"]
