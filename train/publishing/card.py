"""The model card: `hub_cards/model_card.md` filled from config, metrics.json and the cases' summary."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors import safe_open

from dermnote import __version__
from dermnote.config import DermNoteConfig

from ..data.cases import SPLITS
from ..data.sources import NAMED, get_reader
from ..evaluation import markdown_classes, markdown_retrieval
from ..evaluation.markdown_groups import groups
from ..evaluation.metric_format import VERSIONS
from ..evaluation.plots import PLOTS
from ..runtime.card_template import cell, fill_card
from .front_matter import front_matter
from .licences import UNKNOWN, strictest

TRAINED_ON = ("train", "validation")
HELD_OUT = "No patient or lesion among them was trained on."


def render_card(
    folder: Path,
    config: DermNoteConfig,
    summary: Mapping[str, Any],
    gallery: pd.DataFrame,
    metrics: Mapping[str, Any] | None,
    plots: Sequence[str] = (),
) -> str:
    """The card as Markdown with the Hub's front matter.

    Args:
        folder: The bundle so far: its encoders and weights.
        config: The bundle's.
        summary: `summary.json` of the cases folder.
        gallery: Table of the cases in the index.
        metrics: metrics.json, or None if nothing was measured.
        plots: Names in `PLOTS` of the pictures in the folder.
    """
    image = json.loads((folder / "image_encoder" / "config.json").read_text(encoding="utf-8"))
    title = f"DermNote: {image['backbone']}" + (" with clinical notes" if config.multimodal else ", pictures alone")
    return fill_card(
        "model_card.md",
        front_matter=front_matter(title, config, metrics),
        title=title,
        config=config,
        version=__version__,
        image=image,
        text=_text_encoder(folder, config),
        parameters=_parameters(folder),
        sources=_sources(config, summary, gallery),
        left_out=_left_out(summary),
        skin=_skin(gallery),
        calibration=_calibration(config),
        metrics=metrics,
        plots={name: PLOTS[name] for name in plots},
        **(_figures(metrics) if metrics else {}),
    )


def licence_of(sources: Iterable[str], summary: Mapping[str, Any]) -> str:
    """The licence that asks all that the licences of these sources ask."""
    return strictest(_about(name, summary)["licence"] for name in sorted(sources))


def _about(name: str, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Licence and citation of a source: from the cases folder, else from the reader that knows its publisher."""
    if name in summary["sources"]:
        return dict(summary["sources"][name])
    if name in NAMED:
        source = get_reader(name).source
        return {"licence": source.licence, "citation": source.citation, "splits": {}}
    return {"licence": UNKNOWN, "citation": "not known to these cases", "splits": {}}


def _sources(config: DermNoteConfig, summary: Mapping[str, Any], gallery: pd.DataFrame) -> list[dict[str, Any]]:
    shown = gallery["source"].value_counts().to_dict()
    rows = []
    for name in dict.fromkeys([*config.sources, *shown]):
        about = _about(name, summary)
        counts = {split: sum(about["splits"][split].values()) for split in SPLITS if split in about["splits"]}
        listed = ", ".join(f"{split} {count}" for split, count in counts.items())
        rows.append(
            {
                "name": name,
                "trained": name in config.sources,
                "licence": about["licence"],
                "counts": listed or "not in it",
                "shown": shown.get(name, 0),
                "citation": cell(about["citation"]) or "not given",
            }
        )
    return rows


def _text_encoder(folder: Path, config: DermNoteConfig) -> str:
    if not config.multimodal:
        return "none"
    said = json.loads((folder / "text_encoder" / "config.json").read_text(encoding="utf-8"))
    layers, width = said.get("num_hidden_layers", "?"), said.get("hidden_size", "?")
    return f"{said.get('model_type', 'transformers model')}, hidden layers {layers}, width {width}"


def _parameters(folder: Path) -> str:
    total = 0
    for path in folder.rglob("model.safetensors"):
        with safe_open(path, framework="numpy") as tensors:
            shapes = [tensors.get_slice(name).get_shape() for name in tensors.keys()]  # noqa: SIM118 (not a mapping)
        total += sum(int(pd.Series(shape, dtype="int64").prod()) for shape in shapes)
    return f"{total / 1e6:.1f} million"


def _left_out(summary: Mapping[str, Any]) -> str:
    out, rejected = sum(summary.get("left_out", {}).values()), summary.get("rejected", 0)
    return f"Left out of the cases: {out} rows without one of these classes, {rejected} pictures that cannot be read."


def _skin(gallery: pd.DataFrame) -> str:
    known = gallery["skin_type"].dropna()
    if known.empty:
        return f"recorded for none of the {len(gallery)} gallery cases."
    counts = ", ".join(f"{name} {count}" for name, count in sorted(known.value_counts().items()))
    return f"recorded for {len(known)} of the {len(gallery)} gallery cases ({counts})."


def _calibration(config: DermNoteConfig) -> str:
    if config.temperature == 1.0:
        return "Its probabilities are not calibrated."
    fitted = f"temperature {config.temperature:.2f}, fitted on the validation cases"
    return f"Its probabilities are calibrated by one number only ({fitted})."


def _figures(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The sections of report.md, those that most readers skip apart."""
    # Not from "all", which is of photographs alone where there are drawn lesions beside them.
    total = sum(
        block["n_cases"]
        for by_source in metrics["splits"].values()
        for source, block in by_source.items()
        if source != "all" or len(by_source) == 1
    )
    splits = " and ".join(metrics["splits"])
    seen = [split for split in metrics["splits"] if split in TRAINED_ON]
    warning = f"The model was trained on {' and '.join(seen)}: those figures flatter it." if seen else HELD_OUT
    searches = [markdown_retrieval.retrieval(metrics, version) for version in VERSIONS]
    searches += [markdown_retrieval.alignment(metrics)]
    more = [markdown_classes.recall, markdown_classes.reliability, markdown_classes.selective]
    more += [markdown_classes.zero_shot, markdown_classes.linear_probe]
    return {
        "measured_on": f"Measured on {total} cases of the splits {splits}. {warning}",
        "searches": [_inside(section) for section in searches] if metrics["strategy"] else [],
        "classification": _inside(markdown_classes.classification(metrics)),
        "groups": _inside(groups(metrics)),
        "more": [_inside(section) for write in more if (section := write(metrics))],
        "versions": ", ".join(f"{name} {version}" for name, version in metrics["versions"].items()),
    }


def _inside(section: str) -> str:
    """A section of report.md one heading lower."""
    return re.sub(r"^#", "##", section, flags=re.MULTILINE)
