from __future__ import annotations

import json
from pathlib import Path

import pytest

from dermnote.config import DermNoteConfig
from dermnote.errors import BundleError, ConfigError

CONFIG = DermNoteConfig(classnames=("melanoma", "melanocytic nevus"), strategies=("m",), sources=("drawn",))


def test_a_config_survives_its_json(tmp_path: Path) -> None:
    CONFIG.save(tmp_path / "config.json")
    assert DermNoteConfig.load(tmp_path / "config.json") == CONFIG


def test_an_unknown_key_is_an_error_that_names_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    CONFIG.save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "temprature": 2.0}))
    with pytest.raises(BundleError, match=r"'temprature'.*'temperature'"):
        DermNoteConfig.load(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [("not json", "not valid JSON"), ("[]", "JSON object"), ('{"format_version": 99}', "format 99"), ("{}", "None")],
)
def test_a_file_that_is_no_config_says_so(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(BundleError, match=message):
        DermNoteConfig.load(tmp_path / "config.json")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("embed_dim", "wide", "'embed_dim'.*a whole number.*'wide'"),
        ("classnames", 8, "'classnames'.*a list of texts.*8"),
        ("classnames", [], "at least one class"),
        ("licence", None, "'licence'.*a text.*None"),
        ("temperature", float("nan"), "temperature must be above 0, not nan"),
        ("temperature", {}, "'temperature'.*a number"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(tmp_path: Path, key: str, value: object, message: str) -> None:
    path = tmp_path / "config.json"
    CONFIG.save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(BundleError, match=message):
        DermNoteConfig.load(path)


def test_a_missing_config_says_so(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="missing"):
        DermNoteConfig.load(tmp_path / "config.json")


@pytest.mark.parametrize(
    "wrong", [{"classnames": ()}, {"classnames": ("a",), "temperature": 0.0}, {"classnames": ("a",), "embed_dim": 0}]
)
def test_impossible_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError):
        DermNoteConfig(**wrong)
