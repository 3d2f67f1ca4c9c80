"""Files that an evaluation writes: metrics.json, predictions.parquet, both reports and the plots."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dermnote.models.novelty import KNOWN, KnownImages
from dermnote.report.charts import PLOTS, draw_plots
from dermnote.report.renderers import render_markdown, render_report
from dermnote.report.schema import Metrics
from dermnote.storage import replacing_file

from ..data.cases import Cases
from ..data.thumbnails import thumbnail
from ..runtime.plotting import can_draw, drawing
from .embedded_cases import Embedded
from .examples import embedding_map, example_searches


@dataclass(frozen=True)
class Measured:
    """Results of an evaluation.

    Attributes:
        figures: For metrics.json.
        predictions: For predictions.parquet.
        held_out: Embeddings of the cases measured, by split, drawn lesions apart.
        cases: All cases that were embedded.
        known: For known.safetensors; None where the training cases were not embedded, and of published models.
    """

    figures: dict[str, Any]
    predictions: pd.DataFrame
    held_out: dict[str, Embedded]
    cases: Cases
    known: KnownImages | None


def write_report_files(out: Path, figures: dict[str, Any], measured: Measured) -> dict[str, Path]:
    """Write all files and return their paths by name.

    Args:
        out: Folder, made if it does not exist.
        figures: Content of metrics.json: the figures, and how they were measured.
        measured: Results.
    """
    if measured.known is not None:
        with replacing_file(out / KNOWN) as aside:
            measured.known.save(aside, figures["fingerprint"])
    written = {name: out / name for name in ("metrics.json", "predictions.parquet", "report.html", "report.md", *PLOTS)}
    with replacing_file(written["metrics.json"]) as aside:
        aside.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    with replacing_file(written["predictions.parquet"]) as aside:
        measured.predictions.to_parquet(aside, index=False)
    write_markdown_report(figures, out)
    page = report_page(Metrics.read(figures), measured.held_out, thumbnails_of(measured.cases))
    with replacing_file(written["report.html"]) as aside:
        aside.write_text(page, encoding="utf-8")
    return {name: path for name, path in written.items() if path.exists()}


def write_markdown_report(figures: dict[str, Any], folder: Path) -> tuple[str, ...]:
    """Write report.md and its plots, which a bundle carries too.

    Returns:
        Names of the plots; none without matplotlib, and a line says so.
    """
    metrics, plots = Metrics.read(figures), tuple(PLOTS) if can_draw() else ()
    if plots:
        draw_plots(metrics, folder, drawing)
    else:
        for name in PLOTS:
            (folder / name).unlink(missing_ok=True)  # one of an earlier run would contradict the report
    with replacing_file(folder / "report.md") as aside:
        aside.write_text(render_markdown(metrics, plots), encoding="utf-8")
    return plots


def report_page(metrics: Metrics, held_out: dict[str, Embedded], thumbnail_of: Callable[[str], bytes] | None) -> str:
    """Return report.html with a map and example searches of each split; it contains images, so no step publishes it.

    Args:
        metrics: With the figures.
        held_out: Embeddings of the cases measured, by split.
        thumbnail_of: JPEG bytes by case id; None leaves the example searches out.
    """
    maps = {split: embedding_map(cases) for split, cases in held_out.items()}
    found = {split: example_searches(cases, metrics.classnames, thumbnail_of) for split, cases in held_out.items()}
    return render_report(metrics, maps, found)


def thumbnails_of(cases: Cases) -> Callable[[str], bytes]:
    """Return a function from case id to thumbnail, as JPEG."""
    row = {case_id: number for number, case_id in enumerate(cases.table["case_id"])}
    return lambda case_id: thumbnail(cases.images[row[case_id]])
