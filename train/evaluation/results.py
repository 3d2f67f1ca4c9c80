"""What an evaluation found, and the files it leaves behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dermnote.models.novelty import KNOWN, KnownPictures
from dermnote.storage import replacing_file

from ..data.cases import Cases
from ..data.thumbnails import thumbnail
from .embedded_cases import Embedded
from .markdown_report import write_report
from .page.page import render_page
from .plots import PLOTS, draw_figures
from .predictions import write_predictions


@dataclass(frozen=True)
class Measured:
    """What an evaluation found.

    Attributes:
        figures: For metrics.json.
        predictions: For predictions.parquet.
        held_out: The cases measured as the model sees them, by split, drawn lesions apart.
        pictures: Of all cases that were embedded.
        known: For known.safetensors; None where the training cases were not embedded, and of published models.
    """

    figures: dict[str, Any]
    predictions: pd.DataFrame
    held_out: dict[str, Embedded]
    pictures: Cases
    known: KnownPictures | None


def write(out: Path, figures: dict[str, Any], measured: Measured) -> dict[str, Path]:
    """Writes metrics.json, predictions.parquet, both reports and their pictures; by name, where they are.

    Args:
        out: Folder, made if it is not there.
        figures: What metrics.json holds: what was found, and how.
        measured: What was found.
    """
    if measured.known is not None:
        with replacing_file(out / KNOWN) as aside:
            measured.known.save(aside, figures["fingerprint"])
    names = ("metrics.json", "predictions.parquet", "report.html", "report.md", *PLOTS)
    written = {name: out / name for name in names}
    with replacing_file(written["metrics.json"]) as aside:
        aside.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    write_predictions(measured.predictions, written["predictions.parquet"])
    plots = draw_figures(figures, out)
    with replacing_file(written["report.md"]) as aside:
        aside.write_text(write_report(figures, plots), encoding="utf-8")
    with replacing_file(written["report.html"]) as aside:
        aside.write_text(render_page(figures, measured.held_out, picture_by_id(measured.pictures)), encoding="utf-8")
    return {name: path for name, path in written.items() if path.exists()}


def picture_by_id(cases: Cases) -> Callable[[str], bytes]:
    """Gives the thumbnail of a case, as JPEG."""
    row = {case_id: number for number, case_id in enumerate(cases.table["case_id"])}
    return lambda case_id: thumbnail(cases.images[row[case_id]])
