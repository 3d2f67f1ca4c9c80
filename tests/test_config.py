"""`config.json` of a bundle: round trip, and one clear error for every invalid file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dermnote.config import DermNoteConfig
from dermnote.errors import BundleError, ConfigError

CONFIG = DermNoteConfig(classnames=("melanoma", "melanocytic nevus"), strategies=("m",), sources=("drawn",))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    CONFIG.save(tmp_path / "config.json")
    return tmp_path / "config.json"


def test_a_round_trip_is_exact(path: Path) -> None:
    assert DermNoteConfig.load(path) == CONFIG
    with pytest.raises(BundleError, match="missing"):
        DermNoteConfig.load(path.with_name("other.json"))


@pytest.mark.parametrize(
    ("text", "message"),
    [("not json", "not valid JSON"), ("[]", "JSON object"), ('{"format_version": 99}', "format 99"), ("{}", "None")],
)
def test_an_invalid_file_is_refused(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(BundleError, match=message):
        DermNoteConfig.load(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("temprature", 2.0, "'temprature'.*'temperature'"),
        ("embed_dim", "wide", "'embed_dim'.*a whole number.*'wide'"),
        ("classnames", 8, "'classnames'.*a list of texts.*8"),
        ("classnames", [], "at least one class"),
        ("licence", None, "'licence'.*a text.*None"),
        ("temperature", float("nan"), "temperature must be above 0, not nan"),
        ("temperature", {}, "'temperature'.*a number"),
    ],
)
def test_an_unknown_key_or_invalid_value_is_named(path: Path, key: str, value: object, message: str) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(BundleError, match=message):
        DermNoteConfig.load(path)


@pytest.mark.parametrize(
    "wrong", [{"classnames": ()}, {"classnames": ("a",), "temperature": 0.0}, {"classnames": ("a",), "embed_dim": 0}]
)
def test_values_out_of_range_are_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError):
        DermNoteConfig(**wrong)
