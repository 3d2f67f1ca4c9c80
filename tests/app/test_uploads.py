"""Uploaded images: opening, stripping of metadata, and deletion."""

from __future__ import annotations

import base64
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from standin import as_jpeg, scribble

from dermnote.app.serving.uploads import FOLDER_NAME, open_upload, own_folder, strip_metadata, tidy
from dermnote.errors import ConfigError, ImageError


def sent(path: Path | None = None, url: str | None = None) -> Any:
    """The payload of Gradio's image input."""
    return SimpleNamespace(path=None if path is None else str(path), url=url)


def upload(folder: Path, name: str, size: int = 10, hours: float = 0) -> Path:
    """A file of that age in a folder of its own, as Gradio keeps one."""
    path = folder / f"hash-of-{name}" / name
    path.parent.mkdir()
    path.write_bytes(bytes(size))
    age(path, hours), age(path.parent, hours)
    return path


def age(path: Path, hours: float) -> None:
    then = time.time() - hours * 3600
    os.utime(path, (then, then))


def test_text_file_named_jpg_is_refused_in_one_line_without_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "notes.jpg"
    path.write_text("patient seen on Monday\n")
    refused = open_upload(sent(path))
    assert isinstance(refused, ImageError) and "notes.jpg" in str(refused)
    assert "\n" not in str(refused) and str(tmp_path) not in str(refused) and "PIL" not in str(refused)


def test_upload_is_turned_upright_and_its_metadata_stripped_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a phone"  # orientation, maker
    exif.get_ifd(0x8825)[1] = "N"  # GPS
    Image.new("RGB", (300, 200), "salmon").save(path, exif=exif)
    strip_metadata(path)
    with Image.open(path) as kept:
        assert kept.size == (200, 300) and not kept.getexif() and "exif" not in kept.info
    assert b"a phone" not in path.read_bytes()
    image = open_upload(sent(path))
    assert isinstance(image, Image.Image) and image.size == (200, 300)


def test_text_in_a_png_and_unknown_segments_of_a_jpeg_are_stripped(tmp_path: Path) -> None:
    png, jpeg, text = tmp_path / "scan.png", tmp_path / "lesion.jpg", PngInfo()
    text.add_text("Patient", "somebody")
    scribble(2).save(png, pnginfo=text)
    words, data = b"made by somebody", as_jpeg(scribble(1))
    jpeg.write_bytes(data[:2] + b"\xff\xe4" + (len(words) + 2).to_bytes(2, "big") + words + data[2:])
    for path in (png, jpeg):
        strip_metadata(path)
        assert b"somebody" not in path.read_bytes() and isinstance(open_upload(sent(path)), Image.Image)


def test_plain_jpeg_and_file_that_is_no_image_stay_as_they_are(tmp_path: Path) -> None:
    plain, letter = tmp_path / "plain.jpg", tmp_path / "letter.jpg"
    plain.write_bytes(as_jpeg(scribble(1)))
    letter.write_bytes(b"Dear colleague")
    before = plain.read_bytes()
    strip_metadata(plain), strip_metadata(letter)
    assert plain.read_bytes() == before and letter.read_bytes() == b"Dear colleague"


def test_data_url_is_read_and_a_wrong_one_refused() -> None:
    good = "data:image/jpeg;base64," + base64.b64encode(as_jpeg(scribble(3))).decode()
    assert isinstance(open_upload(sent(url=good)), Image.Image)
    for url in ("data:image/jpeg;base64,???", "data:text/html,x", "nonsense"):
        assert isinstance(open_upload(sent(url=url)), ImageError)


def test_file_outside_the_upload_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uploads, secret = tmp_path / "uploads" / "inside", tmp_path / "secret.jpg"
    uploads.mkdir(parents=True)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(uploads.parent))
    secret.write_bytes(as_jpeg(scribble(1)))
    (uploads / "link.jpg").symlink_to(secret)
    for path in (secret, uploads / ".." / ".." / "secret.jpg", uploads / "link.jpg"):
        refused = open_upload(sent(path))
        assert isinstance(refused, ImageError) and "not uploaded" in str(refused)
        assert str(tmp_path) not in str(refused)
    kept = uploads / "kept.jpg"
    kept.write_bytes(secret.read_bytes())
    assert isinstance(open_upload(sent(kept)), Image.Image)


def test_old_files_are_deleted_with_their_folders(tmp_path: Path) -> None:
    left, fresh, half = upload(tmp_path, "left", hours=1.1), upload(tmp_path, "fresh"), tmp_path / "tmp1234"
    half.write_bytes(b"half an upload")
    age(half, 1.1)
    tidy(tmp_path)
    assert fresh.is_file() and not left.exists() and not half.exists()
    tidy(tmp_path, max_age=0)  # a folder that lost its file counts as changed then
    assert tmp_path.is_dir() and list(tmp_path.iterdir()) == []


def test_beyond_the_size_limit_the_oldest_files_are_deleted(tmp_path: Path) -> None:
    files = [upload(tmp_path, f"{i}", 100, hours=0.9 - i / 10) for i in range(4)]
    tidy(tmp_path, max_bytes=250)
    assert [path.exists() for path in files] == [False, False, True, True]


def test_upload_folder_belongs_to_this_user_alone(tmp_path: Path) -> None:
    folder = own_folder(str(tmp_path))
    assert folder == own_folder(str(tmp_path)) == tmp_path / FOLDER_NAME and folder.stat().st_mode & 0o077 == 0
    folder.rmdir()
    folder.symlink_to(tmp_path)
    (tmp_path / "file").write_text("")
    for parent in (tmp_path, tmp_path / "file"):
        with pytest.raises(ConfigError, match="GRADIO_TEMP_DIR"):
            own_folder(str(parent))
