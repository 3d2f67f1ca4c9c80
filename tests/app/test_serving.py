"""What stands between the network and the page: who may come in, what is kept, and for how long."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from standin import StandIn, as_jpeg, scribble

from dermnote.app import launch
from dermnote.app.gradio_patches import SmallSession
from dermnote.app.page import build_page
from dermnote.app.serving.access import Accounts, read_accounts
from dermnote.app.serving.uploads import FOLDER_NAME, open_upload, own_folder, strip_metadata, tidy
from dermnote.errors import ConfigError, PictureError

HOUR = 3600


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def old(path: Path, hours: float) -> Path:
    """The path, as if it had been written `hours` ago."""
    then = time.time() - hours * HOUR
    os.utime(path, (then, then))
    return path


def upload(folder: Path, name: str, size: int = 10, hours: float = 0) -> Path:
    """A file in a folder of its own, as Gradio keeps one."""
    path = folder / f"hash-of-{name}" / name
    path.parent.mkdir()
    path.write_bytes(bytes(size))
    old(path, hours), old(path.parent, hours)
    return path


def test_what_a_killed_process_left_goes_by_age_with_its_folder(tmp_path: Path) -> None:
    left, fresh, half = upload(tmp_path, "left", hours=1.1), upload(tmp_path, "fresh"), tmp_path / "tmp1234"
    half.write_bytes(b"half an upload")
    old(half, 1.1)
    tidy(tmp_path)
    assert fresh.is_file() and not left.exists() and not half.exists()
    tidy(tmp_path, max_age=0)  # a folder that lost its file counts as changed then
    assert tmp_path.is_dir() and list(tmp_path.iterdir()) == []


def test_beyond_its_room_the_oldest_goes_first(tmp_path: Path) -> None:
    files = [upload(tmp_path, f"{i}", 100, hours=0.9 - i / 10) for i in range(4)]
    tidy(tmp_path, max_bytes=250)
    assert [path.exists() for path in files] == [False, False, True, True]


def test_the_folder_of_uploads_is_ones_own_and_nobody_else_reads_it(tmp_path: Path) -> None:
    folder = own_folder(str(tmp_path))
    assert folder == tmp_path / FOLDER_NAME and folder.stat().st_mode & 0o077 == 0
    assert own_folder(str(tmp_path)) == folder
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(ConfigError, match="GRADIO_TEMP_DIR"):
        own_folder(str(tmp_path))
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="GRADIO_TEMP_DIR"):
        own_folder(str(tmp_path / "file"))


@pytest.mark.parametrize("folder", ["", "inside/.."])
def test_a_script_cannot_have_another_file_of_the_server_opened(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = tmp_path / "uploads" / "inside"
    uploads.mkdir(parents=True)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(uploads.parent))
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(as_jpeg(scribble(1)))
    named = uploads.parent / folder / ".." / "secret.jpg" if folder else secret
    (uploads / "link.jpg").symlink_to(secret)
    for path in (named, uploads / "link.jpg"):
        refused = open_upload(SimpleNamespace(path=str(path), url=None))
        assert (
            isinstance(refused, PictureError) and "not uploaded" in str(refused) and str(tmp_path) not in str(refused)
        )
    kept = uploads / "kept.jpg"
    kept.write_bytes(secret.read_bytes())
    assert isinstance(open_upload(SimpleNamespace(path=str(kept), url=None)), Image.Image)


def test_a_part_that_pillow_does_not_list_goes_too(tmp_path: Path) -> None:
    path, words = tmp_path / "lesion.jpg", b"made by somebody"
    jpeg = as_jpeg(scribble(1))
    path.write_bytes(jpeg[:2] + b"\xff\xe4" + (len(words) + 2).to_bytes(2, "big") + words + jpeg[2:])
    strip_metadata(path)
    assert words not in path.read_bytes() and isinstance(open_upload(SimpleNamespace(path=path, url=None)), Image.Image)


def test_a_session_holds_no_copy_of_the_page() -> None:
    demo = build_page(StandIn())
    session = SmallSession(demo)
    assert session.config_values == {} and set(session.blocks_config.blocks) == set(demo.default_config.blocks)
    state = next(key for key, block in demo.blocks.items() if block.stateful)
    session[state] = "a model"
    assert session[state] == "a model" and SmallSession(demo)[state] != "a model"


def test_without_a_setting_everybody_may_come_in() -> None:
    assert read_accounts({}) is None and read_accounts({"DERMNOTE_AUTH": "", "DERMNOTE_AUTH_FILE": ""}) is None


def test_a_password_may_hold_anything_and_leaves_the_environment() -> None:
    environment = {"DERMNOTE_AUTH": "ann:a,b:c äü #1"}
    accounts = read_accounts(environment)
    assert accounts is not None and environment == {}
    assert asyncio.run(accounts.admit("ann", "a,b:c äü #1"))
    assert asyncio.run(accounts.name_in(basic("ann:a,b:c äü #1"))) == "ann"
    assert "a,b:c" not in repr(accounts) and "a,b:c" not in str(vars(accounts).keys())


def test_a_file_holds_several(tmp_path: Path) -> None:
    path = tmp_path / "accounts"
    path.write_text("ann:first-password\nben:second-password\n")
    accounts = read_accounts({"DERMNOTE_AUTH_FILE": str(path)})
    assert accounts is not None
    assert asyncio.run(accounts.admit("ben", "second-password"))
    assert not asyncio.run(accounts.admit("ann", "second-password"))


@pytest.mark.parametrize("header", ["", "Basic", "Basic !", "Bearer " + "x" * 9, basic("ann"), basic("ann:wrong-one")])
def test_any_other_header_names_nobody(header: str) -> None:
    assert asyncio.run(Accounts({"ann": "long-enough"}).name_in(header)) is None
    assert asyncio.run(Accounts({"ann": "long-enough"}).name_in("Basic /w==")) is None  # no UTF-8


def test_wrong_guesses_wait_for_one_another() -> None:
    accounts = Accounts({"ann": "long-enough"})

    async def guess() -> float:
        begun = time.monotonic()
        await asyncio.gather(accounts.admit("ann", "one"), accounts.admit("ann", "two"), accounts.admit("x", "three"))
        guessing = time.monotonic() - begun
        assert await accounts.admit("ann", "long-enough")
        return guessing

    assert asyncio.run(guess()) >= 1.4


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"DERMNOTE_AUTH": "hunter2-hunter2"}, "DERMNOTE_AUTH holds no password"),
        ({"DERMNOTE_AUTH": ":hunter2-hunter2"}, "DERMNOTE_AUTH holds no name"),
        ({"DERMNOTE_AUTH": "ann:hunter2"}, "at least 8"),
        ({"DERMNOTE_AUTH_FILE": "ann:x\n"}, "line 1"),
        ({"DERMNOTE_AUTH_FILE": "ann:hunter2-hunter2\n\n"}, "line 2"),
        ({"DERMNOTE_AUTH_FILE": ""}, "empty file"),
        ({"DERMNOTE_AUTH_FILE": None}, "cannot be read"),
        ({"DERMNOTE_AUTH": "ann:hunter2-hunter2", "DERMNOTE_AUTH_FILE": "x"}, "both set"),
    ],
)
def test_a_setting_that_cannot_be_used_is_said_without_the_password(
    settings: dict[str, str | None], said: str, tmp_path: Path
) -> None:
    if "DERMNOTE_AUTH_FILE" in settings:
        content, path = settings["DERMNOTE_AUTH_FILE"], tmp_path / "accounts"
        settings = {**settings, "DERMNOTE_AUTH_FILE": str(path)}
        if content is not None:
            path.write_text(content)
    with pytest.raises(ConfigError) as met:
        read_accounts(settings)  # type: ignore[arg-type]
    assert said in str(met.value) and "hunter2" not in str(met.value) and str(tmp_path) not in str(met.value)


def test_the_app_stops_with_one_line_before_it_loads_anything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DERMNOTE_AUTH", "ann:short")
    monkeypatch.setattr(launch, "load_model", None)
    assert launch.main() == 2
    said = capsys.readouterr().err
    assert said.startswith("error: DERMNOTE_AUTH") and said.count("\n") == 1 and "short" not in said
