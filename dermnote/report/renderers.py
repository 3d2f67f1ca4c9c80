"""Renderers of metrics.json: report.html, report.md, and the figures of the app's Model tab."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dermnote.models.prediction import percent
from dermnote.report import charts, sentences, tables
from dermnote.report.checked_json import bounded
from dermnote.report.schema import VERSIONS, Metrics

RESEARCH_ONLY = "Research use only, never a diagnosis."
MAX_BLOCKS = 24  # shown of a file from outside
CELL_STRENGTH = 45  # percent of the fill's colour in a confusion cell at most, so that the text stays readable on it
# Distinguishable in light and dark, mostly also without colour vision (after Okabe and Ito); repeated from the ninth.
CLASS_COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#8b5cf6", "#7a7a7a")


ALL_CASES = (
    "Training cases are in the gallery, as with the authors of arXiv 2511.21827. It is not the headline: what was"
    " trained on is found more easily."
)
SPACE = (
    "The gap is the distance of the mean image from the mean note. Uniformity is 0 where all embeddings are the same."
)
DOUBTFUL = "Share of wrong answers where only the surest cases, or those nearest to training cases, are answered."
FLAGGED = "Flagged: farther from the training cases than 95% of the validation cases are."
PROBE = "Logistic regression on the frozen, standardised image embeddings. A class that is absent is never answered."
GAPS = (
    "Gap between the best and the worst group. These two were picked for being far apart: among many small groups some"
    " gap is always found, so read it beside the number of cases. Groups also differ in which classes they have."
)


@dataclass(frozen=True)
class MapPoint:
    """An image or a note in a two-dimensional map of embeddings; x and y are 0..1."""

    x: float
    y: float
    class_id: int
    is_note: bool


@dataclass(frozen=True)
class Item:
    """An image or a note in an example search.

    Attributes:
        title: Class of its case.
        image: The image as a data URI; "" for a note.
        text: The note; "" for an image.
        correct: Whether it has the query's class.
    """

    title: str
    image: str = ""
    text: str = ""
    correct: bool = True


@dataclass(frozen=True)
class Example:
    """A search: its query, its average precision, and its first results."""

    query: Item
    precision: float
    found: tuple[Item, ...]


def render_report(
    metrics: Metrics,
    maps: Mapping[str, Sequence[MapPoint]],
    searches: Mapping[str, Mapping[tuple[str, str], Sequence[Example]]],
) -> str:
    """Return report.html: one page that holds all it shows and requests nothing.

    Args:
        metrics: With the figures.
        maps: By split; an empty map is left out.
        searches: By split, then by direction and "best" or "worst"; a split without any is left out.
    """
    return _environment(3).get_template("report.html").render(metrics=metrics, maps=maps, searches=searches)


def render_performance(raw: Any) -> str:
    """Return the figures of a bundle's metrics.json, which may have any shape; a bundle without any is described so.

    An element that listens to `change` of `[data-choose]` is to show the `[data-panel]` of the chosen number.
    """
    parts: Any = _environment(2).get_template("parts.html").module
    return str(parts.performance(Metrics.read(bounded(raw), MAX_BLOCKS).blocks))


@cache
def _environment(digits: int) -> Environment:
    """Return the templates, with figures to that many decimals; whatever is inserted is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "tables": tables,
        "charts": charts,
        "sentences": sentences,
        "colours": CLASS_COLOURS,
        "cell_strength": CELL_STRENGTH,
        "few": tables.FEW,
        "research_only": RESEARCH_ONLY,
        "digits": digits,
    }
    environment.filters |= {"cell": _cell, "percent": percent}
    return environment


def _cell(cell: tables.Cell, digits: int) -> str:
    """Return a cell as text whose interval does not break across lines."""
    return cell if isinstance(cell, str) else tables.cell_text(cell, digits).replace(", ", ",\u00a0")


def render_markdown(metrics: Metrics, plots: Sequence[str]) -> str:
    """Return the whole report.md.

    Args:
        metrics: With the figures.
        plots: Names in `PLOTS` of the images beside it.
    """
    brackets = "Brackets hold 95% intervals, by bootstrap over patients or lesions."
    parts = [f"# {metrics.run}", f"{RESEARCH_ONLY} {brackets}", sentences.known_sources_warning(metrics)]
    if metrics.strategy:
        parts += _retrieval(metrics)
    else:
        parts.append("No searches: the model reads no notes, or none were given. Classification only.")
    absent = [
        f"{block.split}/{block.source} has no {', '.join(block.classification.classes_absent)}"
        for block in metrics.blocks
        if block.classification.classes_absent
    ]
    note = f"Means are over the classes present: {'; '.join(absent)}." if absent else ""
    parts += [_section(metrics, "Classification, from the image alone", tables.classification), note]
    parts += [_section(metrics, "Recall by class", tables.recall, level=3)]
    parts += [f"![{charts.PLOTS[name]}]({name})" for name in plots]
    fitted = (
        "" if metrics.temperature is None else f"Temperature {metrics.temperature:.3f}, fitted on validation cases."
    )
    prompts = next((block.zero_shot.prompts for block in metrics.blocks if block.zero_shot), {})
    listed = "\n".join(f'- {name}: "{text}"' for name, text in prompts.items())
    parts += [
        _section(metrics, "Calibration", tables.calibration, fitted),
        _section(metrics, "Leaving out doubtful cases", tables.selective, DOUBTFUL),
        _section(metrics, "", tables.far, FLAGGED),
        _section(metrics, "Zero-shot", tables.zero_shot, f"Each image gets the class of the nearest text:\n\n{listed}"),
        _section(metrics, "Linear probe", tables.linear_probe, PROBE),
        _section(metrics, "Groups", tables.groups),
        _section(metrics, "", tables.gaps, GAPS),
        "## Method\n\n" + "\n".join(f"- {line}" for line in [*sentences.method(metrics), f"`{metrics.command}`"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _retrieval(metrics: Metrics) -> Iterable[str]:
    for version, title in VERSIONS.items():
        about = sentences.about_notes(metrics, version)
        yield _section(metrics, f"Retrieval, {title}", partial(tables.retrieval, only_version=version), about)
        subtype = "Relevant is what has the query's class and its subtype (queries with a subtype):"
        yield _section(metrics, "", partial(tables.by_subtype, only_version=version), subtype)
    yield _section(metrics, "Retrieval among all cases", tables.retrieval_all, ALL_CASES)
    yield _section(metrics, "Alignment", tables.alignment, SPACE)


def _section(metrics: Metrics, title: str, rows_of: tables.RowsOf, about: str = "", level: int = 2) -> str:
    """Return a heading, a sentence and the table of all blocks; "" without rows."""
    rows = tables.per_block(metrics.blocks, rows_of)
    heading = f"{'#' * level} {title}" if title else ""
    return "\n\n".join(part for part in (heading, about, tables.markdown(rows)) if part) if rows else ""
