"""comparison.md of the hallucination study, and its plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.plotting import COLOURS, can_draw, drawing
from .hallucination import CLEAN, CORRUPTED, MEASURES
from .report import Results, left_out, markdown_table, measure_name, number, software
from .results import KAPPA, VERSIONS

PLOT = "hallucination.png"
LINES = {CLEAN: "-", CORRUPTED: "--"}
PANELS = (
    ("mAP note to image, diagnosis masked", "map:{}:masked:text_to_image"),
    ("paired cosine, diagnosis masked", "cosine:{}:masked"),
    ("kappa, from the image alone", "kappa"),
)
CLAIM = """\
Claim tested (arXiv 2511.21827): unsupported text hurts alignment more than classification. An interval that holds 0
leaves it open. Masked is the headline: as written, a note of m+p1 or m+p2 still names the right class, whatever else is
wrong in it."""
METHOD = """\
- Notes are written by a stand-in for an LLM; no network. M+P1: closed options for asymmetry, border, colours and
  structures; M+P2: free text; both are given the diagnosis, which stays right. P3: the image alone; its diagnosis is
  wrong at the same rate as its attributes.
- Each attribute is wrong independently; attributes wrong at one rate are wrong at every higher one; the notes of a
  lesion have the same wording at all rates.
- Trained on the training split of {drawn} drawn lesions, the epoch selected on its validation split by images alone."""


def write_study_report(results: Results, *, with_plot: bool) -> str:
    """Return comparison.md of the study.

    Args:
        results: Content of comparison.json.
        with_plot: Whether the plot was drawn.
    """
    parts = [
        "# Effect of wrong statements in notes: drawn lesions",
        "Research use only, never a diagnosis. Drawn lesions are easy: only differences between rows are informative.",
        "## Summary",
        _summary(results),
        f"![Retrieval, paired cosine and kappa over the rate of errors]({PLOT})" if with_plot else "",
        "## Results by error rate",
        _rate_table(results),
        "## Relative losses",
        _loss_table(results),
        left_out(results),
        "## Method",
        f"{METHOD.format(drawn=results['drawn'])}\n- {software(results)}.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def loss_verdict(loss: Mapping[str, Any]) -> str:
    """Return the conclusion on a measure's loss beside that of kappa that the interval over seeds allows."""
    more = loss["more_than_kappa"]
    if more is None or more["ci"] is None:
        return "cannot be told (too few seeds)"
    low, high = more["ci"]
    if low <= 0 <= high:
        return "no difference from classification can be told"
    return f"hurt {'more' if low > 0 else 'less'} than classification"


def claim_outcomes(results: Results) -> str:
    """Return whether wrong statements hurt alignment more than classification, by version of the notes."""
    outcomes = []
    for version, name in VERSIONS.items():
        verdicts = [loss_verdict(each) for each in _alignment_losses(results, version)]
        more, less = (sum(each.startswith(f"hurt {word}") for each in verdicts) for word in ("more", "less"))
        outcome = "it held in part, and the rest cannot be told" if more else "these runs cannot tell"
        if less:
            outcome = "it came out both ways" if more else "it did not hold here"
        elif more == len(verdicts):
            outcome = "it held here"
        if verdicts:
            outcomes.append(
                f"**On drawn lesions, {name}, {outcome}**: of {len(verdicts)} measures of alignment (kinds of notes,"
                f" clean and corrupted queries, mAP in both directions and cosine) {more} lost more than kappa, {less}"
                f" less, and for {len(verdicts) - more - less} no difference can be told."
            )
    return " ".join(outcomes)


def _alignment_losses(results: Results, version: str) -> list[Mapping[str, Any]]:
    return [each for each in results["losses"] if each["measure"] != KAPPA.key and version in each["measure"]]


def _summary(results: Results) -> str:
    first, last = (f"{100 * results['rates'][place]:g}%" for place in (0, -1))
    lines = []
    for kappa in results["losses"]:
        if kappa["measure"] != KAPPA.key:
            continue
        lost = [f"kappa {_percent(kappa['loss'])} of its value"]
        for version, name in VERSIONS.items():
            losses = [
                each["loss"]["mean"] for each in _alignment_losses(results, version) if each["kind"] == kappa["kind"]
            ]
            if losses:
                span = dict.fromkeys(f"{100 * end:.0f}%" for end in (min(losses), max(losses)))
                lost.append(f"{name}, retrieval and cosine {' to '.join(span)} of their margin above chance")
        lines.append(f"- {kappa['kind']}, from {first} to {last} wrong, loses: {'; '.join(lost)}.")
    if not lines:
        return "The rates to compare are not finished yet."
    return "\n\n".join([CLAIM, claim_outcomes(results), "\n".join(lines)])


def _percent(loss: Mapping[str, Any]) -> str:
    if loss["mean"] is None:
        return "nothing that could be measured"
    ends = f" [{100 * loss['ci'][0]:.0f}, {100 * loss['ci'][1]:.0f}]" if loss["ci"] else ""
    return f"{100 * loss['mean']:.0f}%{ends}"


def _rate_table(results: Results) -> str:
    """Return a row per measure, set of query notes and kind of notes; a column per rate."""
    points = {(each["measure"], each["kind"], each["rate"]): each for each in results["points"]}
    rows: list[list[str]] = []
    if results["image_only"] is not None:
        rows.append([KAPPA.key, "", "image-only, no notes", _spread(results["image_only"]["by_seed"])])
        rows[0] += [""] * (len(results["rates"]) - 1)
    for measure in sorted(MEASURES, key=lambda each: (list(VERSIONS).index(each.version or "masked"), each != KAPPA)):
        for kind in results["kinds"]:
            found = [points.get((measure.key, kind, rate)) for rate in results["rates"]]
            rows.append([measure_name(measure.key), measure.queries, kind, *map(_point_text, found)])
    header = ["measure", "query notes", "notes", *(f"{100 * rate:g}% wrong" for rate in results["rates"])]
    text = (
        "Mean over seeds [lowest to highest seed], in brackets chance (cosine: random pairs). Kappa is unweighted, from"
        " the image alone. Query notes are clean, or have the error rate of the training notes."
    )
    return f"{markdown_table(header, rows)}\n\n{_caption(results, text)}"


def _point_text(point: Mapping[str, Any] | None) -> str:
    if point is None:
        return "–"
    chance = "" if point["measure"] == KAPPA.key else f" ({number(_mean(point['chance_by_seed']))})"
    return _spread(point["by_seed"]) + chance


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _spread(values: Sequence[float]) -> str:
    return number(_mean(values), (min(values), max(values)) if len(values) > 1 else None)


def _loss_table(results: Results) -> str:
    rows = []
    for each in results["losses"]:
        queries = next((name for name in LINES if name in each["measure"].split(":")), "")
        row = [each["kind"], queries, measure_name(each["measure"]), _percent(each["loss"])]
        more = each["more_than_kappa"]
        rows.append([*row, *((_percent(more), loss_verdict(each)) if more else ("", ""))])
    header = ["notes", "query notes", "measure", "relative loss [95% over seeds]", "more than kappa", "verdict"]
    text = (
        f"From {100 * results['rates'][0]:g}% to {100 * results['rates'][-1]:g}% wrong, relative to the margin above"
        " chance (cosine: above random pairs), per seed; interval by Student's t over seeds."
    )
    return f"{markdown_table(header, rows)}\n\n{_caption(results, text)}"


def _caption(results: Results, text: str) -> str:
    return (
        f"{text} Data: {results['n_cases']} drawn lesions of their own seed, none trained on; training seeds"
        f" {', '.join(map(str, results['seeds']))}; device {results['device'] or 'unknown'}; `{results['command']}`."
    )


def draw_study(results: Results, folder: Path) -> list[str]:
    """Draw the curves with their ranges over seeds, and return the name of the file if it was written."""
    if not results["points"] or not can_draw():
        (folder / PLOT).unlink(missing_ok=True)
        return []
    with drawing(folder / PLOT, 13, 4.6) as figure:
        for axes, (title, measure) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
            for kind, colour in zip(results["kinds"], COLOURS, strict=False):
                for queries in LINES if "{}" in measure else (CLEAN,):
                    _curve(axes, results, kind, measure.format(queries), colour, queries)
            if measure == KAPPA.key and results["image_only"]:
                values = results["image_only"]["by_seed"]
                axes.axhline(_mean(values), color="k", linewidth=1, label="image-only")
                axes.axhspan(min(values), max(values), color="k", alpha=0.08)
            axes.set(title=title, xlabel="wrong attributes, % (p3: diagnoses too)")
            axes.set_ylim(min(0.0, axes.get_ylim()[0]), 1.0)  # the full range, so that small steps look small
            axes.grid(color="0.92")
            axes.legend(fontsize="x-small")
    return [PLOT]


def _curve(axes: Any, results: Results, kind: str, measure: str, colour: str, queries: str) -> None:
    points = [each for each in results["points"] if (each["kind"], each["measure"]) == (kind, measure)]
    if not points:
        return
    rates, values = [100 * each["rate"] for each in points], [each["by_seed"] for each in points]
    label = kind if measure == KAPPA.key else f"{kind}, {queries} notes"
    means = [_mean(each) for each in values]
    axes.plot(rates, means, LINES[queries], marker="o", markersize=3, color=colour, label=label)
    axes.fill_between(rates, [min(each) for each in values], [max(each) for each in values], color=colour, alpha=0.12)
    if measure != KAPPA.key:
        chance = [_mean(each["chance_by_seed"]) for each in points]
        axes.plot(rates, chance, ":", color=colour, linewidth=1, alpha=0.7)
