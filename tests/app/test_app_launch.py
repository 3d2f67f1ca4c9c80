"""Start of the app: settings, their errors, how the page is served, and the benchmark of the served page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image
from standin import StandIn, launched

from dermnote.app import gradio_patches, launch
from dermnote.app.gradio_patches import SmallSession, with_preprocess
from dermnote.app.page import build_page
from dermnote.app.service import parse_model_spec
from dermnote.errors import ConfigError
from tests.benchmarks import app as benchmark
from tests.benchmarks.app_server import QUESTIONS, AppServer


@pytest.mark.parametrize(
    ("spec", "source", "revision"),
    [
        ("  ", None, None),
        ("org/name", "org/name", None),
        ("org/name@v1.2", "org/name", "v1.2"),
        ("org/name@", "org/name", None),
        ("mine@home", "mine@home", None),  # a folder
    ],
)
def test_model_spec_has_source_and_revision(
    spec: str, source: str | None, revision: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine@home").mkdir()
    assert parse_model_spec(spec) == (source, revision)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("GRADIO_SERVER_PORT", value) for value in ("abc", "0", "70000", "80.5")),
        *(("DERMNOTE_LLM_PER_HOUR", value) for value in ("0", "-1", "many", "1.5", "9" * 30, "²")),
        *(("DERMNOTE_LLM_MAX_USD", value) for value in ("0", "-1", "nan", "inf", "$5")),
        ("DERMNOTE_LLM_PRICES", "/nowhere/prices.yaml"),
        ("DERMNOTE_AUTH", "ann:short"),
    ],
)
def test_invalid_setting_is_one_line_and_status_2_before_anything_is_loaded(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setattr(launch, "load_model", None)
    assert launch.main() == 2
    line = capsys.readouterr().err
    assert line.startswith("error: ") and line.count("\n") == 1 and (name in line or value in line)
    assert "short" not in line


def test_model_that_cannot_be_loaded_is_one_line_and_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DERMNOTE_MODEL", str(tmp_path))
    assert launch.main() == 2
    line = capsys.readouterr().err
    assert line.startswith("error: ") and line.count("\n") == 1 and "Traceback" not in line


def test_invalid_address_of_the_language_model_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "my server")
    with pytest.raises(ConfigError, match="OPENAI_BASE_URL") as error:
        build_page(StandIn())  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


class FakePage:
    """Records the options of its launch."""

    local_url = "http://127.0.0.1:7860"

    def queue(self, **_: object) -> FakePage:
        return self

    def launch(self, **options: object) -> None:
        self.options = options

    def block_thread(self) -> None:
        pass


@pytest.mark.parametrize(("space", "address"), [("", None), ("org/space", "0.0.0.0")])
def test_only_a_space_listens_on_all_addresses(
    space: str, address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPACE_ID", space)
    page, called = FakePage(), []
    launch.launch(page, lambda: called.append(True))  # type: ignore[arg-type]
    assert page.options["server_name"] == address and called == [True]
    for risky in ("share", "show_error", "enable_monitoring", "ssr_mode", "run_history"):
        assert page.options[risky] is False


def test_seven_endpoints_are_public_and_nothing_else() -> None:
    info = build_page(StandIn()).get_api_info()  # type: ignore[arg-type]
    parameters = {
        name: [each["parameter_name"] for each in endpoint["parameters"]]
        for name, endpoint in info["named_endpoints"].items()
    }
    record = ["label", "subtype", "malignancy", "description", "age", "sex", "site"]
    assert parameters == {
        "/classify": ["picture", "modality"],
        "/find_notes": ["picture", "modality", "k"],
        "/find_similar": ["picture", "modality", "k"],
        "/explain": ["picture", "modality", "label", "text"],
        "/find_images": ["text", "k", "label", "source", "site"],
        "/write_note": ["picture", "modality", *record, "strategy", "demographics"],
        "/compare": ["picture", "modality", *record, "strategies"],
    }
    assert info["named_endpoints"]["/compare"]["parameters"][-1]["parameter_default"] == ["m"]
    assert not info["unnamed_endpoints"]


# Changes to Gradio's internals still work with the installed version.


def test_session_holds_no_copy_of_the_page() -> None:
    page = build_page(StandIn())  # type: ignore[arg-type]
    session = SmallSession(page)
    assert session.config_values == {} and set(session.blocks_config.blocks) == set(page.default_config.blocks)
    state = next(key for key, block in page.blocks.items() if block.stateful)
    session[state] = "a model"
    assert session[state] == "a model" and SmallSession(page)[state] != "a model"


def test_preprocess_is_kept_when_gradio_makes_the_component_again() -> None:
    """Gradio does so for a visitor whose handler updated or skipped the component."""
    with gr.Blocks():
        image = with_preprocess(gr.Image, lambda payload: f"read {payload}")(label="An image", type="pil")
    again = image.__class__(label="An image", type="pil")
    assert (image.preprocess("x"), again.preprocess("x")) == ("read x", "read x")  # type: ignore[arg-type]
    assert again.get_block_name() == "image" and isinstance(again, gr.Image)
    assert not Path(gradio_patches.__file__).with_suffix(".pyi").exists()


class BytesModel(StandIn):
    def classify(self, image: Any, modality: str | None = "dermoscopy") -> Any:
        return super().classify(Image.new("RGB", (8, 8)), modality)


@pytest.mark.slow
def test_benchmark_writes_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class InProcess(AppServer):
        """Served by this process, which goes on when it is "killed"."""

        def __init__(self, work: Path) -> None:
            super().__init__(work)
            self.url = url

        def start(self) -> float:
            return 0.0

        kill = stop = lambda self: None
        memory_mb = processor_seconds = lambda self: 1.0

    monkeypatch.setattr(benchmark, "AppServer", InProcess)
    monkeypatch.setattr(benchmark.DermNote, "from_pretrained", lambda device: BytesModel())
    with launched() as url:
        assert benchmark.main(["--small", "--json", str(tmp_path / "app.json")]) == 0
    figures = json.loads((tmp_path / "app.json").read_text())
    assert figures["crowd"]["answered"] >= 4 and figures["crowd"]["lost"] == 0
    assert figures["growth"]["by_question"] == dict.fromkeys(QUESTIONS, 2)
    assert figures["restart"]["outcomes"] == ["answered"] and figures["alone"]["over HTTP"] > 0
