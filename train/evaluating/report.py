"""metrics.json in words: report.md and the table on the console."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

VERSIONS = {"masked": "diagnosis masked", "as_written": "as written"}
DIRECTIONS = {"image_to_text": "picture to note", "text_to_image": "note to picture"}
CLASSIFICATION = {
    "kappa": "kappa",
    "balanced_accuracy": "balanced accuracy",
    "macro_auroc": "macro AUROC",
    "melanoma_vs_nevus_auroc": "melanoma vs nevus AUROC",
}


def number(value: float | None, ci: Sequence[float] | None = None) -> str:
    """A figure to three places, with its interval if there is one; a dash if it is undefined."""
    if value is None:
        return "–"
    return f"{value:.3f}" + (f" [{ci[0]:.3f}, {ci[1]:.3f}]" if ci else "")


def blocks(figures: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Split, source and figures of every block, in order; the only source of a split is not told twice.

    Drawn lesions are easy: a mean over them and photographs would flatter the photographs, and is not told.
    """
    for split, sources in figures["splits"].items():
        for source, block in sources.items():
            pooled_with_drawings = len(sources) > 2 and "drawn" in sources
            if (source == "all" and not pooled_with_drawings) or (source != "all" and len(sources) > 2):
                yield split, source, block


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


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


def write_report(figures: dict[str, Any], *, with_figure: bool) -> str:
    """The whole report.md."""
    parts = [f"# {figures['run']}", "Research use only, never a diagnosis."]
    if figures["strategy"] is None:
        parts.append("Classification only: the run reads no notes, or none were given.")
    else:
        parts += [_retrieval(figures, "masked"), _retrieval(figures, "as_written"), _alignment(figures)]
    parts += [_classification(figures), _recall(figures)]
    if with_figure:
        parts.append("![Confusion matrix, each row in percent of its true class](confusion.png)")
    parts += [_reliability(figures), _method(figures)]
    return "\n\n".join(parts) + "\n"


def _retrieval(figures: dict[str, Any], version: str) -> str:
    rows = []
    for split, source, block in blocks(figures):
        if not block["retrieval"]:
            continue
        for way, title in DIRECTIONS.items():
            each = block["retrieval"][version][way]
            own = " / ".join(f"{each['recall_of_own'][k]:.2f}" for k in ("1", "5", "10"))
            asked = f"{block['retrieval']['n_queries'] - each['left_out']}"
            rows.append([split, source, title, asked, number(each["map"], each["ci"]), number(each["chance"]), own])
    header = ["split", "source", "search", "queries", "mAP [95%]", "chance", "own partner in first 1 / 5 / 10"]
    return f"## Retrieval, {VERSIONS[version]}\n\n{_about(figures, version)}\n\n{table(header, rows)}"


def _about(figures: dict[str, Any], version: str) -> str:
    counted = [b["retrieval"] for _, source, b in blocks(figures) if source == "all" and b["retrieval"]]
    n = sum(each["n_queries"] for each in counted)
    distinct = sum(each["distinct_notes"][version] for each in counted)
    without = sum(each["without_note"] for each in counted)
    said = f"Notes of strategy {figures['strategy']}: {n}, in {distinct} different text{'' if distinct == 1 else 's'}"
    said += f"; {without} cases have no such note and are left out." if without else "."
    if version == "as_written":
        return f"{said} These notes may name the class that makes an item relevant, so a high figure is nearly given."
    said += " Class names, subtypes and words for malignancy are masked: what is left is what the findings are worth."
    if figures["strategy"] == "m" and distinct * 10 <= n:
        said += " Template notes without findings say nothing but the diagnosis: they are at chance by construction."
    return said


def _alignment(figures: dict[str, Any]) -> str:
    rows = [
        [split, source, VERSIONS[version], number(each["paired_cosine"], each["ci"]), number(each["random_pairs"])]
        for split, source, block in blocks(figures)
        for version, each in (block["alignment"] or {}).items()
    ]
    header = ["split", "source", "notes", "cosine to the own note [95%]", "to another case's note"]
    return f"## Alignment\n\n{table(header, rows)}"


def _classification(figures: dict[str, Any]) -> str:
    rows = []
    for split, source, block in blocks(figures):
        told = block["classification"]
        intervals = [number(told[name], told["ci"][name]) for name in CLASSIFICATION]
        more = [number(told[name]) for name in ("accuracy", "macro_f1", "kappa_linear")]
        rows.append([split, source, block["n_cases"], block["n_groups"], *intervals, *more])
    header = ["split", "source", "cases", "groups", *(f"{name} [95%]" for name in CLASSIFICATION.values())]
    absent = [
        f"{split}/{source} has no {', '.join(block['classification']['classes_absent'])}"
        for split, source, block in blocks(figures)
        if block["classification"]["classes_absent"]
    ]
    note = f"\n\nMeans are over the classes present: {'; '.join(absent)}." if absent else ""
    told = table([*header, "accuracy", "macro F1", "kappa, linear weights"], rows)
    return f"## Classification, from the picture alone\n\n{told}{note}"


def _recall(figures: dict[str, Any]) -> str:
    rows = [
        [split, source, *(number(block["classification"]["recall"][name]) for name in figures["classnames"])]
        for split, source, block in blocks(figures)
    ]
    return f"### Share of each class that is found\n\n{table(['split', 'source', *figures['classnames']], rows)}"


def _reliability(figures: dict[str, Any]) -> str:
    rows = [
        [split, source, number(told["ece_uncalibrated"]), number(told["ece"]), number(told["negative_log_likelihood"])]
        for split, source, block in blocks(figures)
        for told in (block["classification"],)
    ]
    fitted = f"Temperature {figures['temperature']:.3f}, fitted by the run on its validation cases."
    header = ["split", "source", "calibration error before", "after", "negative log-likelihood after"]
    return f"## Reliability\n\n{fitted}\n\n{table(header, rows)}"


def _method(figures: dict[str, Any]) -> str:
    gallery = "all cases, training cases too" if figures["pool"] == "all" else "the noted cases of the same split"
    draws = f"{figures['bootstrap']['n_boot']} draws, seed {figures['bootstrap']['seed']}"
    lines = [
        f"Intervals: 95%, bootstrap over patients or lesions ({draws}); none with fewer than five of them.",
        f"Retrieval: gallery is {gallery}; relevant is what has the query's class; average precision is the mean"
        " precision at the relevant ranks, ties at their expected value; chance is what the same rankings score when"
        " the classes of the queries are shuffled.",
        "Kappa is unweighted; the linear weights of the second column are the authors' (arXiv 2511.21827).",
        f"Cases: {figures['cases']}; notes: {figures['notes'] or 'none'}; {figures['left_out']} cases of classes the"
        " run does not know are left out.",
        f"Training seed {figures['seed']}; device {figures['device']};"
        f" {', '.join(f'{name} {version}' for name, version in figures['versions'].items())}.",
        f"`{figures['command']}`",
    ]
    return "## How it was measured\n\n" + "\n".join(f"- {line}" for line in lines)
