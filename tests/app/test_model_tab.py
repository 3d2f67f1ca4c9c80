"""Model tab without a browser: facts, model card, offered models, models in memory, and the theme's contrast."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

import gradio as gr
import pytest
from html_checker import CheckedHtml
from standin import StandIn

from dermnote.app.claims_card import VERDICTS
from dermnote.app.loaded_models import FIRST, KEPT, Models
from dermnote.app.model.bundle_card import card
from dermnote.app.model.facts import facts, from_python
from dermnote.app.model.model_switch import ModelSwitch, Offer
from dermnote.app.page import build_page
from dermnote.app.theme import CSS, make_theme
from dermnote.errors import BundleError, ConfigError, HubError
from dermnote.report.renderers import CELL_STRENGTH

NASTY = '<img src=x onerror="alert(1)">&"\'\ud800\u202e</script><svg onload=alert(2)>'


def model_at(models: Models, key: str) -> StandIn:
    return models[key].model


def test_config_is_escaped_and_can_be_encoded() -> None:
    model = StandIn()
    model.source, model.revision = f"org/{NASTY.replace('/', '')}", NASTY
    for name, value in {"gallery": NASTY, "sources": (NASTY,), "classnames": (NASTY,), "licence": NASTY}.items():
        object.__setattr__(model.config, name, value)
    assert "&lt;img" in facts(model)
    CheckedHtml(facts(model)), CheckedHtml(from_python(model))


@pytest.mark.parametrize(
    ("source", "revision", "call"),
    [
        ("the embedded starter", None, "from_pretrained()"),
        ("org/name", "abc", 'from_pretrained("org/name", revision="abc")'),
        ("/home/me/bundle", None, 'from_pretrained("path/to/bundle")'),
    ],
)
def test_the_code_loads_the_model_that_is_shown(source: str, revision: str | None, call: str) -> None:
    model = StandIn()
    model.source, model.revision = source, revision
    assert call in CheckedHtml(from_python(model)).text


CARD = f"""---
license: <script>alert(0)</script>
---
# Title <script>alert(1)</script>
![a picture](https://tracker.example/pixel.png) ![by reference][there] <img src="https://tracker.example/2.png">

| class | cases |
|---|--:|
| nevus | 3 |

[web](https://example.org/a?b="c") [script](javascript:alert(1)) [data](data:text/html,x) [file](metrics.json)
<details>
<summary>More</summary>

Inside *words*.

</details>
<iframe src="https://tracker.example"></iframe>
<style>body {{ background: url(https://tracker.example/3.png) }}</style>
{NASTY.encode("utf-8", "replace").decode()}

```mermaid
flowchart TD; A@{{ img: "https://tracker.example/4.png" }}
```

$$\\includegraphics{{https://tracker.example/5.png}}$$

[there]: https://tracker.example/6.png
"""


def test_nothing_in_a_card_runs_or_is_fetched() -> None:
    shown = card(CARD)
    read = CheckedHtml(shown)  # refuses every tag and attribute that could
    assert [address for address in read.addresses if "tracker" in address] == []
    assert read.addresses == ["https://example.org/a?b=%22c%22"] and 'rel="noopener noreferrer nofollow"' in shown
    assert "license" not in read.text and "[image: a picture]" in read.text and "Inside words ." in read.text
    assert "<td" in shown and "<h3>Title" in shown


def test_long_card_is_cut_and_deep_nesting_ends() -> None:
    assert "longer than is shown" in card("word " * 100_000) and card("") == ""
    CheckedHtml(card("> " * 50_000)), CheckedHtml(card("[" * 20_000)), CheckedHtml(card("*a_" * 20_000))


@pytest.mark.parametrize(
    ("environment", "names", "any_name"),
    [
        ({}, (), True),
        ({"DERMNOTE_MODELS": "org/a, org/b@v1,,org/a "}, ("org/a", "org/b@v1"), True),
        ({"SPACE_ID": "me/space"}, (), False),
        ({"SPACE_ID": "me/space", "DERMNOTE_MODELS": "org/a"}, ("org/a",), False),
        ({"GRADIO_SERVER_NAME": "0.0.0.0"}, (), False),
        ({"GRADIO_SERVER_NAME": "127.0.0.1"}, (), True),
    ],
)
def test_any_model_may_be_named_on_the_owners_machine_only(
    environment: dict[str, str], names: tuple[str, ...], any_name: bool
) -> None:
    offer = Offer.of(environment)
    assert (offer.names, offer.any_name, bool(offer)) == (names, any_name, bool(names or any_name))
    assert offer.check("org/a ") == "org/a" if offer else True
    if any_name:
        assert offer.check("/home/me/bundle") == "/home/me/bundle"
        return
    for refused in ("org/other", "/etc", "org/a@main", "x" * 10_000):
        with pytest.raises(ConfigError, match="not offered"):
            offer.check(refused)


@pytest.mark.parametrize("name", [None, "", "  "])
def test_empty_name_is_refused(name: str | None) -> None:
    with pytest.raises(ConfigError, match="No model is named"):
        Offer(any_name=True).check(name)


@pytest.mark.parametrize(
    ("environment", "shown"),
    [({"SPACE_ID": "me/space"}, False), ({"SPACE_ID": "me/space", "DERMNOTE_MODELS": "org/a"}, True), ({}, True)],
)
def test_a_space_that_offers_no_models_shows_no_switch(
    environment: dict[str, str], shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SPACE_ID", "DERMNOTE_MODELS", "GRADIO_SERVER_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    demo = build_page(StandIn())
    assert ("Load this model" in [getattr(each, "value", "") for each in demo.blocks.values()]) == shown
    assert not [name for name in demo.get_api_info()["named_endpoints"] if "load" in name]  # the page's alone


class Loader:
    """Loads stand-ins, and counts."""

    def __init__(self) -> None:
        self.loads: list[str] = []
        self.error: Exception | None = None
        self.before: Callable[[str], None] = lambda setting: None

    def __call__(self, setting: str) -> StandIn:
        self.loads.append(setting)
        self.before(setting)
        if self.error:
            raise self.error
        model = StandIn()
        model.source, _, revision = setting.partition("@")
        model.revision = revision if len(revision) == 40 else f"{sum(model.source.encode()):040x}"
        return model


@pytest.fixture
def loader() -> Loader:
    return Loader()


@pytest.fixture
def models(loader: Loader) -> Models:
    return Models(StandIn(), load=loader)


def unloaded_key(models: Models) -> str:
    return [models.add(f"org/{number}") for number in range(KEPT + 1)][0]  # noqa: RUF015  # all of them are to be loaded


def test_a_model_is_kept_by_its_commit(models: Models, loader: Loader) -> None:
    key = models.add(" org/a ")
    assert re.fullmatch(r"org/a@[0-9a-f]{40}", key) and loader.loads == ["org/a"]
    assert model_at(models, key).source == "org/a" and models[FIRST] is models.first
    assert models.add(key) == key and loader.loads == ["org/a"]  # it is here already
    assert models.add("org/a") == key and len(loader.loads) == 2  # the branch may have moved


def test_all_models_compute_in_one_thread(models: Models) -> None:
    both = [model_at(models, key) for key in (FIRST, models.add("org/a"))]
    workers = {model.executor.submit(threading.get_ident).result() for model in both}
    assert len(workers) == 1 and threading.get_ident() not in workers


def test_few_models_are_kept_and_an_unloaded_one_is_loaded_again(models: Models, loader: Loader) -> None:
    keys = [models.add(name) for name in ("org/a", "org/b", "org/c")]
    assert len(models._others) == KEPT
    assert model_at(models, keys[0]).source == "org/a" and loader.loads[-1] == keys[0]
    assert len(models._others) == KEPT and models[keys[2]] and loader.loads[-1] == keys[0]


def test_model_that_cannot_be_loaded_again_is_one_line(models: Models, loader: Loader) -> None:
    key = unloaded_key(models)
    loader.error = HubError("The Hub cannot be reached.", "Check the connection.")
    with pytest.raises(gr.Error) as caught:
        models[key]
    assert "The Hub cannot be reached. Go back to the first model" in caught.value.message
    assert "\n" not in caught.value.message and not caught.value.print_exception
    assert models[FIRST] is models.first


def test_any_error_of_a_bundle_is_one_line(models: Models, loader: Loader, caplog: pytest.LogCaptureFixture) -> None:
    loader.error = RuntimeError("shape '[1]' is invalid\nfor input")
    with pytest.raises(BundleError, match=r"^org/a cannot be loaded \(RuntimeError\)\. The app's log says why\.$"):
        models.add("org/a")
    assert "is invalid" in caplog.text


def test_loading_delays_no_visitor_who_has_a_model(models: Models, loader: Loader) -> None:
    key, come, go_on = models.add("org/a"), threading.Event(), threading.Event()

    def hold(setting: str) -> None:
        come.set()
        assert go_on.wait(20)

    loader.before = hold
    slow = threading.Thread(target=models.add, args=["org/slow"])
    slow.start()
    assert come.wait(20)
    assert models[key] and models[FIRST] is models.first  # would hang if a lock were held
    go_on.set()
    slow.join(20)
    assert not slow.is_alive()


def test_two_visitors_load_an_unloaded_model_once(models: Models, loader: Loader) -> None:
    key = unloaded_key(models)
    loader.loads.clear()
    together = threading.Barrier(2)
    found: list[object] = []

    def ask() -> None:
        together.wait(20)
        found.append(models[key])

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(20)
    assert loader.loads == [key] and found[0] is found[1]


def test_error_names_no_folder_of_the_server(models: Models, loader: Loader) -> None:
    where = "/srv/.cache/hub/models--org--a/snapshots/0f"
    loader.error = BundleError(
        f"{where}/config.json is not valid JSON.", f"See https://hub.example/org/a and {where}/x."
    )
    with pytest.raises(BundleError) as caught:
        models.add("org/a")
    assert str(caught.value) == "config.json is not valid JSON. See https://hub.example/org/a and x."


def test_model_that_is_not_offered_is_never_loaded(models: Models, loader: Loader) -> None:
    with gr.Blocks():
        switch = ModelSwitch(models, gr.State(FIRST), Offer(names=("org/a",)))
    (alert, status, _), *more = switch._load(FIRST, "org/other")  # a script may send what the list does not hold
    assert "not offered here" in alert and "The first model answers you" in status and not more and not loader.loads
    *_, (alert, status, key) = switch._load(FIRST, "org/a")
    assert alert == "" and f"org/a @ {key[-40:-28]} answers you now." in status


# Colours.


def contrast(one: str, other: str) -> float:
    """Return the WCAG contrast ratio of two #rrggbb colours."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_contrast_is_at_least_4_5() -> None:
    theme = make_theme()
    for suffix in ("", "_dark"):
        for text in ("body_text_color", "body_text_color_subdued", "block_title_text_color"):
            for background in ("body_background_fill", "background_fill_secondary", "block_background_fill"):
                pair = getattr(theme, text + suffix), getattr(theme, background + suffix)
                assert contrast(*pair) >= 4.5, (text + suffix, background, pair)
    blocks = re.findall(r"(?:^|\n)(?::root, )?\.dark \{(.*?)\n\}", CSS[0].read_text(), re.DOTALL)
    assert len(blocks) == 2  # light, dark
    for block in blocks:
        colours = dict(re.findall(r"--dn-([a-z-]+): (#[0-9a-f]{6})", block))
        for kind in ("caution", "alert", *(each.css for each in VERDICTS)):
            assert contrast(colours[f"{kind}-ink"], colours[f"{kind}-ground"]) >= 4.5, (kind, colours)


def test_text_is_readable_on_the_strongest_cell() -> None:
    theme, fills = make_theme(), re.findall(r"--dn-fill: (#\w{6})", CSS[0].read_text())
    for fill, dark in zip(fills, ("", "_dark"), strict=True):
        card, ink = getattr(theme, f"block_background_fill{dark}"), getattr(theme, f"body_text_color{dark}")
        pairs = [(int(fill[i : i + 2], 16), int(card[i : i + 2], 16)) for i in (1, 3, 5)]
        mixed = "".join(f"{round((CELL_STRENGTH * a + (100 - CELL_STRENGTH) * b) / 100):02x}" for a, b in pairs)
        assert contrast(f"#{mixed}", ink) >= 4.5, (fill, dark)
