"""Puts the page together: tables from metrics.json, charts, a map, and searches with pictures.

The page holds everything it shows and asks nobody for anything; its policy forbids it to. It may hold pictures of the
cases, so it stays in the run's folder: no step publishes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..embedded_cases import MASKED, Embedded
from ..markdown_groups import MEASURES
from ..markdown_report import commit_of, trained_on_too
from ..metric_format import CLASSIFICATION, VERSIONS, blocks
from .charts import map_chart, reliability_chart, risk_coverage_chart
from .examples import Example, best_and_worst
from .projection import FEWEST, project, sample_rows
from .summary_sentences import WAYS, summary

FOLDER = Path(__file__).parent


def render_page(
    figures: dict[str, Any], held_out: Mapping[str, Embedded], picture_of: Callable[[str], bytes] | None
) -> str:
    """The page as HTML.

    Args:
        figures: What metrics.json holds.
        held_out: By split, the cases as the model sees them: for the map and the searches.
        picture_of: JPEG bytes of a case id's thumbnail; None leaves pictures out.
    """
    told = [
        {"split": split, "source": source, "block": block, "words": summary(block)}
        for split, source, block in blocks(figures)
    ]
    classnames = tuple(figures["classnames"])
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        figures=figures,
        commit=commit_of(figures),
        warning=trained_on_too(figures),
        told=told,
        classnames=classnames,
        measures=CLASSIFICATION,
        grouped=MEASURES,
        versions=VERSIONS,
        ways=WAYS,
        charts=_charts(told),
        maps={split: _map(cases, classnames, split) for split, cases in held_out.items()},
        searches={split: _searches(cases, classnames, picture_of) for split, cases in held_out.items()},
    )


def _charts(told: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    found = {}
    for each in told:
        name, block = f"{each['split']}-{each['source']}", each["block"]
        bins, selective = block["classification"].get("reliability"), block.get("selective")
        found[name] = {
            "reliability": reliability_chart(bins, name) if bins else "",
            "risk": risk_coverage_chart(selective, name) if selective else "",
        }
    return found


def _map(cases: Embedded, classnames: tuple[str, ...], split: str) -> str:
    """Pictures, and notes with the diagnosis masked; "" where there are too few."""
    rows = sample_rows(len(cases))
    vectors, labels = cases.image[rows], cases.labels[rows]
    is_note = np.zeros(len(rows), dtype=bool)
    if MASKED in cases.notes:
        noted = rows[cases.noted[rows]]
        vectors = np.concatenate([vectors, cases.notes[MASKED][noted]])
        labels = np.concatenate([labels, cases.labels[noted]])
        is_note = np.concatenate([is_note, np.ones(len(noted), dtype=bool)])
    if len(np.unique(vectors, axis=0)) < FEWEST:
        return ""
    return map_chart(project(vectors), labels, is_note, classnames, split)


def _searches(
    cases: Embedded, classnames: tuple[str, ...], picture_of: Callable[[str], bytes] | None
) -> dict[str, dict[str, list[Example]]]:
    """Nothing where there are no pictures or notes to show, or all notes say the same."""
    if picture_of is None or not cases.noted.any() or len(set(cases.texts[MASKED][cases.noted])) == 1:
        return {}
    return {way: best_and_worst(cases, MASKED, way, classnames, picture_of) for way in WAYS}
