"""Accounts of a protected app."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest

from dermnote.app.serving import access
from dermnote.app.serving.access import Accounts, read_accounts
from dermnote.errors import ConfigError


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_without_a_setting_the_app_is_open() -> None:
    assert read_accounts({}) is None and read_accounts({"DERMNOTE_AUTH": "", "DERMNOTE_AUTH_FILE": ""}) is None


def test_password_may_contain_any_character_and_is_removed_from_the_environment() -> None:
    environment = {"DERMNOTE_AUTH": "ann:a,b:c äü #1"}
    accounts = read_accounts(environment)
    assert accounts is not None and environment == {}
    assert asyncio.run(accounts.admit("ann", "a,b:c äü #1"))
    assert asyncio.run(accounts.name_in(basic("ann:a,b:c äü #1"))) == "ann"
    assert "a,b:c" not in repr(accounts) and "a,b:c" not in str(vars(accounts).keys())


def test_file_with_several_accounts(tmp_path: Path) -> None:
    path = tmp_path / "accounts"
    path.write_text("ann:first-password\nben:second-password\n")
    accounts = read_accounts({"DERMNOTE_AUTH_FILE": str(path)})
    assert accounts is not None
    assert asyncio.run(accounts.admit("ben", "second-password"))
    assert not asyncio.run(accounts.admit("ann", "second-password"))


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic !", "Basic /w==", "Bearer " + "x" * 9, basic("ann"), basic("ann:wrong-one")]
)
def test_other_headers_are_refused(header: str) -> None:
    assert asyncio.run(Accounts({"ann": "long-enough"}).name_in(header)) is None


def test_wrong_guesses_are_answered_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    accounts, waiting, most = Accounts({"ann": "long-enough"}), 0, 0

    async def sleep(seconds: float) -> None:
        nonlocal waiting, most
        assert seconds == access.PENALTY
        waiting += 1
        most = max(most, waiting)
        await yield_control(0)
        waiting -= 1

    async def guess() -> list[bool]:
        return await asyncio.gather(*(accounts.admit("ann", wrong) for wrong in ("one", "two", "three")))

    yield_control = asyncio.sleep
    monkeypatch.setattr(access.asyncio, "sleep", sleep)
    assert asyncio.run(guess()) == [False] * 3 and most == 1


@pytest.mark.parametrize(
    ("settings", "message"),
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
def test_invalid_setting_is_reported_without_the_password(
    settings: dict[str, str | None], message: str, tmp_path: Path
) -> None:
    if "DERMNOTE_AUTH_FILE" in settings:
        content, path = settings["DERMNOTE_AUTH_FILE"], tmp_path / "accounts"
        settings = {**settings, "DERMNOTE_AUTH_FILE": str(path)}
        if content is not None:
            path.write_text(content)
    with pytest.raises(ConfigError) as error:
        read_accounts(settings)  # type: ignore[arg-type]
    line = str(error.value)
    assert message in line and "hunter2" not in line and str(tmp_path) not in line
