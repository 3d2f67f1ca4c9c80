"""The Model tab without a browser: figures as they were measured, and nothing of a foreign bundle taken on trust."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Callable
from copy import deepcopy
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standin import StandIn

from dermnote.app.loaded_models import FIRST, KEPT, Models
from dermnote.app.model.bundle_card import card
from dermnote.app.model.confusion import STRONGEST
from dermnote.app.model.facts import facts, from_python
from dermnote.app.model.html_tables import Column, html_table
from dermnote.app.model.model_switch import ModelSwitch
from dermnote.app.model.offered_models import Offer
from dermnote.app.model.performance import NOT_MEASURED, how_well
from dermnote.app.page import build_page
from dermnote.app.service import AppService
from dermnote.app.theme import CSS, make_theme
from dermnote.errors import BundleError, ConfigError, HubError
from tests.app.test_theme import contrast

STARTER = Path(__file__).parent.parent / "dermnote" / "starter"
NASTY = '<img src=x onerror="alert(1)">&"\'\ud800\u202e</script><svg onload=alert(2)>'
SHOWN = (
    "section div h2 h3 h4 h5 h6 p ul ol li span small b i em strong a code pre br hr blockquote table thead tbody "
    "tr th td details summary label select option svg line polyline circle text dl dt dd"
)
TAGS = frozenset(SHOWN.split())
VOID = {"br", "hr"}


class Checked(HTMLParser):
    """Reads HTML as a browser would, and refuses what this page never writes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.addresses: list[str] = []
        html.encode("utf-8")  # what cannot be sent would never arrive
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        for name, value in attributes:
            assert not name.startswith("on") and name not in ("src", "srcset", "srcdoc", "data", "action"), name
            assert name != "style" or "url" not in (value or "")
            self.addresses += [value or ""] if name == "href" else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def metrics() -> dict[str, Any]:
    return json.loads((STARTER / "metrics.json").read_text(encoding="utf-8"))


def test_the_starter_s_figures_are_told_in_plain_words(metrics: dict[str, Any]) -> None:
    told = Checked(how_well(metrics)).text
    block = metrics["splits"]["test"]["all"]
    figures = block["classification"]
    assert f"On {block['n_cases']} held-out pictures of {block['n_groups']} patients or lesions" in told
    assert f"the likeliest class is the recorded one for {figures['accuracy']:.0%}" in told
    worst = min(figures["recall"], key=figures["recall"].get)
    assert f"worst for {worst} ({figures['recall'][worst]:.0%} of {figures['support'][worst]})" in told
    own = metrics["classnames"].index("melanoma")
    row = figures["confusion"][own]
    assert f"Of {sum(row)} pictures of a melanoma, {sum(row) - row[own]} are taken for something else." in told
    assert "These lesions are drawn by a program and easy to tell" in told
    low, high = figures["ci"]["kappa"]
    assert f"{figures['kappa']:.2f} [{low:.2f}, {high:.2f}]" in told


def test_every_set_can_be_chosen_and_one_is_shown(metrics: dict[str, Any]) -> None:
    html = how_well(metrics)
    options = re.findall(r'<option value="(\d)">(.*?)</option>', html)
    assert options[0] == ("0", "test, all photographs (928 pictures)") and len(options) == 7
    assert "external, all photographs" not in html  # drawn lesions alone: they are not told twice
    panels = re.findall(r'data-panel="(\d)"( hidden)?', html)
    assert [hidden == "" for _, hidden in panels] == [True] + [False] * 6
    assert html.count('role="img" aria-label=') == html.count("as a table</summary>") - html.count('class="dn-group"')


def test_small_groups_are_named_without_a_figure(metrics: dict[str, Any]) -> None:
    told = Checked(how_well(metrics)).text
    assert "Too few to say: abdomen (18), arm (10)" in told and "Not recorded for 206 pictures." in told
    sexes = metrics["splits"]["test"]["all"]["groups"]["sex"]
    gap, worst, best = (sexes[name]["kappa"] for name in ("gap", "worst", "best"))
    low, high = gap["ci"]
    sure = " This may be chance." if low <= 0 else ""
    assert f"Worst for {worst}: kappa {gap['value']:.2f} [{low:.2f}, {high:.2f}] behind {best}.{sure}" in told


def one_set(**told: Any) -> dict[str, Any]:
    return {"classnames": ["nevus", "melanoma"], "splits": {"test": {"mine": {"n_cases": 30, **told}}}}


def test_a_class_with_few_pictures_has_no_share() -> None:
    classes = {
        "accuracy": 0.8,
        "recall": {"nevus": 0.85, "melanoma": 0.6},
        "support": {"nevus": 25, "melanoma": 5},
        "confusion": [[21, 4], [2, 3]],
    }
    told = Checked(how_well(one_set(n_groups=12, classification=classes))).text
    assert "only 5: too few to say" in told and "60%" not in told and "worst for" not in told
    assert "12 patients or lesions are few" in told


def test_a_class_that_no_picture_shows_is_named() -> None:
    html = how_well(one_set(classification={"kappa": 0.5, "confusion": [[30, 0], [0, 0]]}))
    assert "No picture here shows: melanoma." in html and "pictures of a melanoma" not in html


def test_a_figure_without_an_interval_is_told_without_one() -> None:
    block = {"classification": {"kappa": 0.5}, "retrieval": {"masked": {"image_to_text": {"map": 0.31}}}}
    told = Checked(how_well(one_set(**block))).text
    assert "0.50, moderate" in told and "[" not in told and "chance: by" not in told


@pytest.mark.parametrize(
    "metrics",
    [
        {},
        [],
        "?",
        None,
        7,
        {"splits": None},
        {"splits": {"test": ["?"]}},
        {"splits": {"test": {"a": {}}}},
        {"splits": {"test": {"a": {"classification": {"kappa": True, "accuracy": "0.9", "macro_auroc": 1e9}}}}},
    ],
)
def test_a_bundle_without_figures_says_so(metrics: Any) -> None:
    assert NOT_MEASURED in Checked(how_well(metrics)).text


def test_a_table_escapes_every_cell() -> None:
    shown = Checked(html_table("<b>", [Column("<i>", '"'), Column("<p>")], [["<li>", "<td>"]]))
    assert shown.text == "<i><p><li><td>".replace("><", "> <")


# What anybody may write in the place of a figure.
hostile = st.recursive(
    st.sampled_from([None, True, NASTY, "", math.nan, math.inf, -math.inf, -1, 10**400, 1e308, 0.5, 3, {}, []]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([NASTY, "all", "ci", "kappa"]), inner),
    max_leaves=6,
)


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path] * bool(path) + [below for step, inner in steps for below in places(inner, (*path, step))]


def put(tree: Any, path: tuple[Any, ...], value: Any) -> None:
    for step in path[:-1]:
        tree = tree[step]
    tree[path[-1]] = value


SMALL = json.loads((STARTER / "metrics.json").read_text(encoding="utf-8"))
SMALL["splits"] = {"test": {"milk10k": SMALL["splits"]["test"]["milk10k"]}}
for _unread in ("retrieval_all", "alignment", "linear_probe"):
    del SMALL["splits"]["test"]["milk10k"][_unread]
PLACES = places(SMALL["splits"])


@given(st.lists(st.tuples(st.sampled_from(PLACES), hostile), min_size=1, max_size=4), hostile)
@settings(max_examples=150, deadline=None)
def test_nothing_that_stands_in_metrics_breaks_the_page(changes: list[tuple[Any, Any]], names: Any) -> None:
    metrics = deepcopy(SMALL)
    for path, value in sorted(changes, key=lambda change: -len(change[0])):  # the deepest first
        put(metrics["splits"], path, deepcopy(value))
    for classnames in (SMALL["classnames"], names):
        told = Checked(how_well({**metrics, "classnames": classnames})).text
        assert not re.search(r"\bnan\b|\binf\b|\bNone\b|\d{12}", told)


def test_hostile_names_are_shown_as_words_wherever_a_name_stands() -> None:
    tag = '<img src=x onerror="alert(1)">'
    metrics: Any = deepcopy(SMALL)
    block = metrics["splits"]["test"]["milk10k"]
    metrics["classnames"] = names = [f"{name} {tag}" for name in SMALL["classnames"]]
    for told in (block["classification"]["recall"], block["classification"]["support"]):
        told |= {f"{name} {tag}": value for name, value in told.items()}
    for found in block["groups"].values():
        found["values"] = {f"{name} {tag}": value for name, value in found["values"].items()}
        found["best"] = found["worst"] = dict.fromkeys(found["best"], tag)
    block["groups"] = {f"{name} {tag}": found for name, found in block["groups"].items()}
    metrics["splits"] = {f"test {tag}": {f"mine {tag}": block}}
    shown = Checked(how_well(metrics))  # refuses an <img>
    assert shown.text.count(tag) > 60 and all(name in shown.text for name in names)


def test_a_bundle_cannot_make_the_page_endless() -> None:
    block = SMALL["splits"]["test"]["milk10k"]
    crowd = {"sex": {"values": {f"{i}" * 500: {"n_cases": 30, "kappa": 0.5} for i in range(5000)}}}
    splits = {f"s{i}": {f"t{j}": {**block, "groups": crowd} for j in range(50)} for i in range(50)}
    classnames = [f"class {i}" for i in range(10_000)]
    assert len(how_well({"classnames": classnames, "splits": splits})) < 3_000_000


def test_what_a_config_says_is_escaped_and_can_be_sent() -> None:
    model = StandIn()
    model.source, model.revision = f"org/{NASTY.replace('/', '')}", NASTY
    for name, value in {"gallery": NASTY, "sources": (NASTY,), "classnames": (NASTY,), "licence": NASTY}.items():
        object.__setattr__(model.config, name, value)
    assert "&lt;img" in facts(model)
    Checked(facts(model)), Checked(from_python(model))


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
    assert call in Checked(from_python(model)).text


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
    read = Checked(shown)  # refuses every tag and attribute that could
    assert [address for address in read.addresses if "tracker" in address] == []
    assert read.addresses == ["https://example.org/a?b=%22c%22"] and 'rel="noopener noreferrer nofollow"' in shown
    assert "license" not in read.text and "[picture: a picture]" in read.text and "Inside words ." in read.text
    assert "<td" in shown and "<h3>Title" in shown


def test_the_starter_s_card_is_shown_and_an_endless_one_cut() -> None:
    assert (
        "Procedural drawings of the DermNote project"
        in Checked(card((STARTER / "README.md").read_text(encoding="utf-8"))).text
    )
    assert "longer than is shown" in card("word " * 100_000) and card("") == ""
    Checked(card("> " * 50_000)), Checked(card("[" * 20_000)), Checked(card("*a_" * 20_000))


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
def test_only_on_the_owner_s_machine_may_any_model_be_named(
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
def test_an_empty_name_is_asked_for(name: str | None) -> None:
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


class Shelf:
    """Loads stand-ins, and counts."""

    def __init__(self) -> None:
        self.loads: list[str] = []
        self.fault: Exception | None = None
        self.before: Callable[[str], None] = lambda setting: None

    def __call__(self, setting: str) -> StandIn:
        self.loads.append(setting)
        self.before(setting)
        if self.fault:
            raise self.fault
        model = StandIn()
        model.source, _, revision = setting.partition("@")
        model.revision = revision if len(revision) == 40 else f"{sum(model.source.encode()):040x}"
        return model


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def models(shelf: Shelf) -> Models:
    return Models(StandIn(), load=shelf)


def one_that_went(models: Models) -> str:
    return [models.add(f"org/{number}") for number in range(KEPT + 1)][0]  # noqa: RUF015  # all of them are to be loaded


def test_a_model_is_kept_by_its_commit(models: Models, shelf: Shelf) -> None:
    key = models.add(" org/a ")
    assert re.fullmatch(r"org/a@[0-9a-f]{40}", key) and shelf.loads == ["org/a"]
    assert models[key].model.source == "org/a" and models[FIRST] is models.first
    assert models.add(key) == key and shelf.loads == ["org/a"]  # it is here already
    assert models.add("org/a") == key and len(shelf.loads) == 2  # the branch may have moved


def test_all_models_compute_in_one_thread(models: Models) -> None:
    other = models[models.add("org/a")].model
    workers = {model.executor.submit(threading.get_ident).result() for model in (models.first.model, other)}
    assert len(workers) == 1 and threading.get_ident() not in workers


def test_few_are_held_and_one_that_went_comes_back(models: Models, shelf: Shelf) -> None:
    keys = [models.add(name) for name in ("org/a", "org/b", "org/c")]
    assert len(models._others) == KEPT
    assert models[keys[0]].model.source == "org/a" and shelf.loads[-1] == keys[0]
    assert len(models._others) == KEPT and models[keys[2]] and shelf.loads[-1] == keys[0]


def test_one_that_cannot_come_back_is_one_line_on_every_tab(models: Models, shelf: Shelf) -> None:
    key = one_that_went(models)
    shelf.fault = HubError("The Hub cannot be reached.", "Check the connection.")
    with pytest.raises(gr.Error) as told:
        models[key]
    assert "The Hub cannot be reached. Go back to the first model" in told.value.message
    assert "\n" not in told.value.message and not told.value.print_exception
    assert models[FIRST] is models.first


def test_a_bundle_that_breaks_in_any_way_is_one_line(
    models: Models, shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    shelf.fault = RuntimeError("shape '[1]' is invalid\nfor input")
    with pytest.raises(BundleError, match=r"^org/a cannot be loaded \(RuntimeError\)\. The app's log says why\.$"):
        models.add("org/a")
    assert "is invalid" in caplog.text


def test_loading_keeps_nobody_waiting_who_has_a_model(models: Models, shelf: Shelf) -> None:
    key, come, go_on = models.add("org/a"), threading.Event(), threading.Event()

    def hold(setting: str) -> None:
        come.set()
        assert go_on.wait(20)

    shelf.before = hold
    slow = threading.Thread(target=models.add, args=["org/slow"])
    slow.start()
    assert come.wait(20)
    assert isinstance(models[key], AppService) and models[FIRST] is models.first  # would hang if a lock were held
    go_on.set()
    slow.join(20)
    assert not slow.is_alive()


def test_two_visitors_who_ask_for_a_lost_model_load_it_once(models: Models, shelf: Shelf) -> None:
    key = one_that_went(models)
    shelf.loads.clear()
    together = threading.Barrier(2)
    found: list[AppService] = []

    def ask() -> None:
        together.wait(20)
        found.append(models[key])

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(20)
    assert shelf.loads == [key] and found[0] is found[1]


def test_a_refusal_names_no_folder_of_the_server(models: Models, shelf: Shelf) -> None:
    where = "/srv/.cache/hub/models--org--a/snapshots/0f"
    shelf.fault = BundleError(
        f"{where}/config.json is not valid JSON.", f"See https://hub.example/org/a and {where}/x."
    )
    with pytest.raises(BundleError) as told:
        models.add("org/a")
    assert str(told.value) == "config.json is not valid JSON. See https://hub.example/org/a and x."


def test_what_is_not_offered_is_never_loaded(models: Models, shelf: Shelf) -> None:
    with gr.Blocks():
        switch = ModelSwitch(models, gr.State(FIRST), Offer(names=("org/a",)))
    (alert, status, _), *more = switch._load(FIRST, "org/other")  # a script may send what the list does not hold
    assert "not offered here" in alert and "The first model answers you" in status and not more and not shelf.loads
    *_, (alert, status, key) = switch._load(FIRST, "org/a")
    assert alert == "" and f"org/a @ {key[-40:-28]} answers you now." in status


def test_the_ink_is_readable_on_the_strongest_cell() -> None:
    theme, blocks = make_theme(), re.findall(r"--dn-fill: (#\w{6})", CSS[0].read_text())
    for fill, dark in zip(blocks, ("", "_dark"), strict=True):
        card_, ink = getattr(theme, f"block_background_fill{dark}"), getattr(theme, f"body_text_color{dark}")
        parts = [(int(fill[i : i + 2], 16), int(card_[i : i + 2], 16)) for i in (1, 3, 5)]
        mixed = "".join(f"{round((STRONGEST * a + (100 - STRONGEST) * b) / 100):02x}" for a, b in parts)
        assert contrast(ink, f"#{mixed}") >= 4.5, (fill, dark)
