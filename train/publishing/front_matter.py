"""The front matter of a model card: what the Hugging Face Hub reads of it (licence, tags, figures)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from dermnote.config import DermNoteConfig
from dermnote.errors import ConfigError

from ..evaluation.metric_format import DIRECTIONS
from .licences import UNKNOWN

# metrics.json's name -> the Hub's metric type and the words shown
CLASSIFICATION = {
    "kappa": ("cohen_kappa", "Cohen's kappa"),
    "balanced_accuracy": ("balanced_accuracy", "Balanced accuracy"),
    "macro_auroc": ("roc_auc", "Macro AUROC"),
    "macro_f1": ("f1", "Macro F1"),
    "accuracy": ("accuracy", "Accuracy"),
}


def front_matter(title: str, config: DermNoteConfig, metrics: Mapping[str, Any] | None) -> str:
    """The YAML between the card's dashes, final newline included.

    Args:
        title: The card's title.
        config: The bundle's.
        metrics: metrics.json, or None if nothing was measured.

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
    if datasets := [name for name in config.sources if name != "drawn"]:  # the drawn one is made, not downloaded
        data["datasets"] = datasets
    if results := _results(metrics or {}):
        data["model-index"] = [{"name": title, "results": results}]
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)


def _results(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of each source of each held-out split: masked search first, then classes.

    Never of sources pooled: drawn lesions are easy, and one mean over them and photographs would flatter the latter.
    """
    results = []
    for split, by_source in metrics.get("splits", {}).items():
        for source in [name for name in by_source if name != "all"] or ["all"]:
            results += _result(by_source[source], {"name": source, "type": "dermnote-cases", "split": split})
    return results


def _result(block: Mapping[str, Any], dataset: Mapping[str, str]) -> list[dict[str, Any]]:
    told = block["classification"]
    groups = {
        "image-text-retrieval": _retrieval(block["retrieval"]) if block["retrieval"] else [],
        "image-classification": [
            {"type": kind, "name": words, "value": round(told[name], 4)}
            for name, (kind, words) in CLASSIFICATION.items()
            if told.get(name) is not None
        ],
    }
    return [
        {"task": {"type": task}, "dataset": dict(dataset), "metrics": figures}
        for task, figures in groups.items()
        if figures
    ]


def _retrieval(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "type": "map",
            "name": f"mAP, {title}, diagnosis masked (chance {found['masked'][way]['chance']:.3f})",
            "value": round(found["masked"][way]["map"], 4),
        }
        for way, title in DIRECTIONS.items()
        if found["masked"][way]["map"] is not None
    ]
