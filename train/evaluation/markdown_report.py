"""metrics.json in words: report.md and the table on the console."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .markdown_classes import classification, linear_probe, recall, reliability, selective, zero_shot
from .markdown_groups import groups
from .markdown_retrieval import alignment, authors_pool, retrieval
from .metric_format import CLASSIFICATION, DIRECTIONS, VERSIONS, blocks, number
from .plots import PLOTS


def console_table(figures: dict[str, Any]) -> str:
    """The main figures in aligned columns: masked mAP (with chance in brackets) before mAP as written."""
    header = ["split", "source", "cases", "mAP masked i>t", "t>i", "as written i>t", "t>i"]
    rows = [[*header, "kappa", "bal. acc.", "AUROC", "mel/nev"]]
    for split, source, block in blocks(figures):
        found, told = block["retrieval"], block["classification"]
        cells = [split, source, str(block["n_cases"])]
        for version in VERSIONS:
            for way in DIRECTIONS:
                each = found[version][way] if found else {"map": None, "chance": None}
                chance = f" ({each['chance']:.3f})" if version == "masked" and each["chance"] is not None else ""
                cells.append(number(each["map"]) + chance)
        rows.append([*cells, *(number(told[name]) for name in CLASSIFICATION)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(["", *lines, "(in brackets: the same rankings with the classes of the queries shuffled)"])


def commit_of(figures: dict[str, Any]) -> str | None:
    """Of a model from the Hub; else None."""
    return (figures.get("published") or {}).get("revision")


def trained_on_too(figures: dict[str, Any]) -> str:
    """What a reader must know of a published model measured on sources of its own; "" if there is nothing."""
    seen = (figures.get("published") or {}).get("trained_on_too")
    if not seen:
        return ""
    return (
        f"The model was trained on {', '.join(seen)} too: some of these cases may be known to it, whatever split they"
        " have here."
    )


def write_report(figures: dict[str, Any], plots: Sequence[str]) -> str:
    """The whole report.md.

    Args:
        figures: What metrics.json holds.
        plots: Names in `PLOTS` of the pictures that lie beside it.
    """
    parts = [f"# {figures['run']}", "Research use only, never a diagnosis.", trained_on_too(figures)]
    if figures["strategy"] is None:
        parts.append("No searches: the run reads no notes, or none were given. Classification only.")
    else:
        parts += [retrieval(figures, "masked"), retrieval(figures, "as_written"), authors_pool(figures)]
        parts += [alignment(figures)]
    parts += [classification(figures), recall(figures)]
    parts += [f"![{PLOTS[name]}]({name})" for name in plots]
    parts += [reliability(figures), selective(figures), zero_shot(figures), linear_probe(figures), groups(figures)]
    return "\n\n".join(part for part in [*parts, _method(figures)] if part) + "\n"


def _method(figures: dict[str, Any]) -> str:
    draws = f"{figures['bootstrap']['n_boot']} draws, seed {figures['bootstrap']['seed']}"
    lines = [
        f"Intervals: 95%, bootstrap over patients or lesions ({draws}); none with fewer than five of them.",
        "Retrieval: gallery is the noted cases of the same split; relevant is what has the query's class; average"
        " precision is the mean precision at the relevant ranks, ties at their expected value; chance is what the same"
        " rankings score when the classes of the queries are shuffled.",
        "Photographs and drawn lesions are never pooled: each are searched among their own kind.",
        "Kappa is unweighted; the linear weights of the second column are the authors' (arXiv 2511.21827).",
        f"Cases: {figures['cases']}; notes: {figures['notes'] or 'none'}; {figures['left_out']} cases of classes the"
        " model does not know are left out.",
        f"Training seed {'unknown' if figures['seed'] is None else figures['seed']}; device {figures['device']};"
        f" {', '.join(f'{name} {version}' for name, version in figures['versions'].items())}.",
        f"`{figures['command']}`",
    ]
    if commit := commit_of(figures):
        lines.insert(0, f"The model is that of commit {commit}.")
    return "## How it was measured\n\n" + "\n".join(f"- {line}" for line in lines)
