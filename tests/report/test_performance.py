"""Figures of a bundle as the Model tab shows them; metrics.json may have been written by anybody."""

from __future__ import annotations

import json
import math
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from html_checker import CheckedHtml
from hypothesis import given, settings
from hypothesis import strategies as st

import dermnote
from dermnote.report.renderers import render_performance

NASTY = '<img src=x onerror="alert(1)">&"\'\ud800\u202e</script><svg onload=alert(2)>'
STARTER = json.loads((Path(dermnote.__file__).parent / "starter" / "metrics.json").read_text(encoding="utf-8"))
SMALL = {**STARTER, "splits": {"test": {"milk10k": STARTER["splits"]["test"]["milk10k"]}}}
NOT_MEASURED = "Nothing was measured for this bundle"


def shown(metrics: Any) -> str:
    return CheckedHtml(render_performance(metrics)).text


def one_set(**block: Any) -> dict[str, Any]:
    return {"classnames": ["nevus", "melanoma"], "splits": {"test": {"mine": {"n_cases": 30, **block}}}}


def test_the_starter_is_described_with_its_own_figures() -> None:
    text, block = shown(STARTER), STARTER["splits"]["test"]["all"]
    figures = block["classification"]
    assert f"On {block['n_cases']} held-out images of {block['n_groups']} patients or lesions" in text
    assert f"the likeliest class is the recorded one for {figures['accuracy']:.0%}" in text
    worst = min(figures["recall"], key=figures["recall"].get)
    assert f"worst for {worst} ({figures['recall'][worst]:.0%} of {figures['support'][worst]})" in text
    own = STARTER["classnames"].index("melanoma")
    row = figures["confusion"][own]
    assert f"Of {sum(row)} images of a melanoma, {sum(row) - row[own]} are classified as another class." in text
    assert "These lesions are drawn by a program" in text
    low, high = figures["ci"]["kappa"]
    assert f"{figures['kappa']:.2f} [{low:.2f}, {high:.2f}]" in text
    sexes = block["groups"]["sex"]
    gap, worst, best = (sexes[name]["kappa"] for name in ("gap", "worst", "best"))
    assert f"Worst for {worst}: kappa {gap['value']:.2f} [{gap['ci'][0]:.2f}, {gap['ci'][1]:.2f}] below {best}." in text
    few = [
        f"{n} ({group['n_cases']})" for n, group in block["groups"]["site"]["values"].items() if "kappa" not in group
    ]
    assert f"Too few to say: {', '.join(few)}." in text


def test_every_set_can_be_chosen_and_one_is_shown() -> None:
    html = render_performance(STARTER)
    options = re.findall(r'<option value="(\d)">(.*?)</option>', html)
    assert len(options) == sum(len(sets) for sets in STARTER["splits"].values()) - 1  # "external, all" is drawn alone
    assert options[0][1].startswith("test, all photographs (") and "external, all photographs" not in html
    panels = re.findall(r'data-panel="(\d)"( hidden)?', html)
    assert [hidden == "" for _, hidden in panels] == [True] + [False] * (len(options) - 1)
    assert html.count('role="img" aria-label=') == html.count("as a table</summary>") - html.count('class="dn-group"')


def test_a_class_with_few_images_has_no_share() -> None:
    classes = {"accuracy": 0.8, "recall": {"nevus": 0.85, "melanoma": 0.6}, "support": {"nevus": 25, "melanoma": 5}}
    text = shown(one_set(n_groups=12, classification={**classes, "confusion": [[21, 4], [2, 3]]}))
    assert "only 5: too few to say" in text and "60%" not in text and "worst for" not in text
    assert "12 patients or lesions are few" in text


def test_a_class_without_images_is_named() -> None:
    text = shown(one_set(classification={"kappa": 0.5, "confusion": [[30, 0], [0, 0]]}))
    assert "No image here shows: melanoma." in text and "images of a melanoma" not in text


def test_a_figure_without_an_interval_is_shown_without_one() -> None:
    text = shown(one_set(classification={"kappa": 0.5}, retrieval={"masked": {"image_to_text": {"map": 0.31}}}))
    assert "0.50, moderate" in text and "[" not in text and "0.31" in text


@pytest.mark.parametrize(
    "metrics",
    [
        *({}, [], "?", None, 7, {"splits": None}, {"splits": {"test": ["?"]}}, {"splits": {"test": {"a": {}}}}),
        {"splits": {"test": {"a": {"classification": {"kappa": True, "accuracy": "0.9", "macro_auroc": 1e9}}}}},
    ],
)
def test_a_bundle_without_figures_is_described_so(metrics: Any) -> None:
    assert NOT_MEASURED in shown(metrics)


hostile = st.recursive(
    st.sampled_from([None, True, NASTY, "", math.nan, math.inf, -math.inf, -1, 10**400, 1e308, 0.5, 3, {}, []]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([NASTY, "all", "ci", "kappa"]), inner),
    max_leaves=6,
)


def paths(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path] * bool(path) + [below for step, inner in steps for below in paths(inner, (*path, step))]


def put(tree: Any, path: tuple[Any, ...], value: Any) -> None:
    for step in path[:-1]:
        tree = tree[step]
    tree[path[-1]] = value


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from(paths(SMALL["splits"])), hostile), min_size=1, max_size=4), hostile)
@settings(max_examples=150, deadline=None)
def test_no_content_of_metrics_breaks_the_page(changes: list[tuple[Any, Any]], names: Any) -> None:
    metrics = deepcopy(SMALL)
    for path, value in sorted(changes, key=lambda change: -len(change[0])):  # the deepest first
        put(metrics["splits"], path, deepcopy(value))
    for classnames in (SMALL["classnames"], names):
        assert not re.search(r"\bnan\b|\binf\b|\bNone\b|\d{12}", shown({**metrics, "classnames": classnames}))


def test_hostile_names_are_shown_as_text() -> None:
    tag = '<img src=x onerror="alert(1)">'
    metrics: Any = deepcopy(SMALL)
    block = metrics["splits"]["test"]["milk10k"]
    metrics["classnames"] = names = [f"{name} {tag}" for name in SMALL["classnames"]]
    for by_class in (block["classification"]["recall"], block["classification"]["support"]):
        by_class |= {f"{name} {tag}": value for name, value in by_class.items()}
    for found in block["groups"].values():
        found["values"] = {f"{name} {tag}": value for name, value in found["values"].items()}
        found["best"] = found["worst"] = dict.fromkeys(found["best"], tag)
    block["groups"] = {f"{name} {tag}": found for name, found in block["groups"].items()}
    metrics["splits"] = {f"test {tag}": {f"mine {tag}": block}}
    text = shown(metrics)
    assert text.count(tag) > 60 and all(name in text for name in names)


def test_a_bundle_cannot_make_the_page_endless() -> None:
    block = SMALL["splits"]["test"]["milk10k"]
    crowd = {"sex": {"values": {f"{i}" * 500: {"n_cases": 30, "kappa": 0.5} for i in range(5000)}}}
    splits = {f"s{i}": {f"t{j}": {**block, "groups": crowd} for j in range(50)} for i in range(50)}
    assert len(render_performance({"classnames": [f"class {i}" for i in range(10_000)], "splits": splits})) < 3_000_000
