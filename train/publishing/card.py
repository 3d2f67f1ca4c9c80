"""Model card: `hub_cards/model_card.md` filled from config, metrics.json and the cases' summary."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from safetensors import safe_open

from dermnote import __version__
from dermnote.config import DermNoteConfig
from dermnote.errors import ConfigError
from dermnote.report import tables
from dermnote.report.charts import PLOTS
from dermnote.report.schema import DIRECTIONS, Block, Metrics

from ..data.cases import SPLITS
from ..data.sources import NAMED, get_reader
from ..runtime.card_template import cell, fill_card
from .licences import UNKNOWN, strictest

TRAINED_ON = ("train", "validation")
HELD_OUT = "No patient or lesion among them was trained on."
HUB_METRICS = {  # name in metrics.json -> the Hub's metric type and title
    "kappa": ("cohen_kappa", "Cohen's kappa"),
    "balanced_accuracy": ("balanced_accuracy", "Balanced accuracy"),
    "macro_auroc": ("roc_auc", "Macro AUROC"),
    "macro_f1": ("f1", "Macro F1"),
    "accuracy": ("accuracy", "Accuracy"),
}


def render_card(
    folder: Path,
    config: DermNoteConfig,
    summary: Mapping[str, Any],
    gallery: pd.DataFrame,
    metrics: Mapping[str, Any] | None,
    plots: Sequence[str] = (),
) -> str:
    """Return the card as Markdown with the Hub's front matter.

    Args:
        folder: Bundle so far: its encoders and weights.
        config: Of the bundle.
        summary: `summary.json` of the cases folder.
        gallery: Table of the cases in the index.
        metrics: metrics.json, or None if nothing was measured.
        plots: Names in `PLOTS` of the images in the folder.
    """
    image = json.loads((folder / "image_encoder" / "config.json").read_text(encoding="utf-8"))
    title = f"DermNote: {image['backbone']}" + (" with clinical notes" if config.multimodal else ", images alone")
    measured = Metrics.read(metrics) if metrics else None
    return fill_card(
        "model_card.md",
        front_matter=front_matter(title, config, measured),
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
        metrics=measured,
        plots={name: PLOTS[name] for name in plots},
        **(_figures(measured) if measured else {}),
    )


def licence_of(sources: Iterable[str], summary: Mapping[str, Any]) -> str:
    """Return the licence that has all conditions of the licences of these sources."""
    return strictest(_about(name, summary)["licence"] for name in sorted(sources))


def _about(name: str, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return licence and citation of a source: from the cases folder, else from its reader."""
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
    text = json.loads((folder / "text_encoder" / "config.json").read_text(encoding="utf-8"))
    layers, width = text.get("num_hidden_layers", "?"), text.get("hidden_size", "?")
    return f"{text.get('model_type', 'transformers model')}, hidden layers {layers}, width {width}"


def _parameters(folder: Path) -> str:
    total = 0
    for path in folder.rglob("model.safetensors"):
        with safe_open(path, framework="numpy") as tensors:
            shapes = [tensors.get_slice(name).get_shape() for name in tensors.keys()]  # noqa: SIM118 (not a mapping)
        total += sum(int(pd.Series(shape, dtype="int64").prod()) for shape in shapes)
    return f"{total / 1e6:.1f} million"


def _left_out(summary: Mapping[str, Any]) -> str:
    out, rejected = sum(summary.get("left_out", {}).values()), summary.get("rejected", 0)
    rows = f"{out} rows (no image, no class of these, or a duplicate)"
    return f"Left out of the cases: {rows}, {rejected} unreadable images."


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


def _figures(metrics: Metrics) -> dict[str, Any]:
    """Return the tables of the card, and a sentence on the cases measured."""
    total = sum(block.n_cases or 0 for block in metrics.separate_blocks)
    splits = list(dict.fromkeys(block.split for block in metrics.blocks))
    seen = [split for split in splits if split in TRAINED_ON]
    warning = f"The model was trained on {' and '.join(seen)}: those figures flatter it." if seen else HELD_OUT
    headline = tables.per_block(metrics.blocks, lambda block: [_headline(block, searched=bool(metrics.strategy))])
    worst = tables.per_block(metrics.blocks, tables.worst_groups)
    return {
        "measured_on": f"Measured on {total} cases of the splits {' and '.join(splits)}. {warning}",
        "headline": tables.markdown(headline),
        "worst_groups": tables.markdown(worst) if worst else "",
        "versions": ", ".join(f"{name} {version}" for name, version in metrics.versions.items()),
    }


def _headline(block: Block, *, searched: bool) -> tables.Row:
    row = tables.overview(block)[0]
    kept = [name for name in row if name != "macro AUROC" and (searched or " to " not in name)]
    return {name: row[name] for name in kept}


def front_matter(title: str, config: DermNoteConfig, metrics: Metrics | None) -> str:
    """Return the YAML between the card's dashes, final newline included.

    Args:
        title: Of the card.
        config: Of the bundle.
        metrics: None if nothing was measured.

    Raises:
        ConfigError: The licence is not spelt as a Hub identifier.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", config.licence):
        raise ConfigError(f"'{config.licence}' is not a licence id.", "Spell it as the Hub does, e.g. cc-by-nc-4.0.")
    data: dict[str, Any] = {"license": config.licence}
    if config.licence == UNKNOWN:
        data["license_name"] = "terms-of-the-sources"
    data |= {
        "language": ["en"],
        "library_name": "dermnote",
        "pipeline_tag": "zero-shot-image-classification" if config.multimodal else "image-classification",
        "tags": ["dermnote", "dermatology", "medical", "skin-lesion", "image-text-retrieval", "research-only"],
    }
    if not config.multimodal:
        data["tags"].remove("image-text-retrieval")
    if datasets := [name for name in config.sources if name != "drawn"]:  # no data set to download
        data["datasets"] = datasets
    results = _model_index(metrics) if metrics else []
    if results:
        data["model-index"] = [{"name": title, "results": results}]
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120))


def _model_index(metrics: Metrics) -> list[dict[str, Any]]:
    """Return the Hub's results of each source of each held-out split: masked retrieval, then classification.

    Pooled sources are left out: drawn lesions are easy, and a mean over them and photographs would flatter the latter.
    """
    results = []
    for block in metrics.blocks:
        if block.source == "all":
            continue
        dataset = {"name": block.source, "type": "dermnote-cases", "split": block.split}
        searches = {
            title: block.retrieval.search("masked", way) for way, title in DIRECTIONS.items() if block.retrieval
        }
        retrieval = [
            {
                "type": "map",
                "name": f"mAP, {title}, diagnosis masked (chance {each.chance.text()})",
                "value": round(each.map.value, 4),
            }
            for title, each in searches.items()
            if each.map.value is not None
        ]
        classification = [
            {"type": kind, "name": words, "value": round(value, 4)}
            for name, (kind, words) in HUB_METRICS.items()
            if (value := getattr(block.classification, name).value) is not None
        ]
        for task, figures in (("image-text-retrieval", retrieval), ("image-classification", classification)):
            if figures:
                results.append({"task": {"type": task}, "dataset": dict(dataset), "metrics": figures})
    return results
