"""comparison.md of the hallucination study, and its plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..evaluation.metric_format import VERSIONS, number, table
from ..runtime.plotting import COLOURS, can_draw, drawing
from .cell_results import Measure
from .grid_report import searches
from .hallucination import CLEAN, CORRUPTED
from .phrasing import measure_in_words

PLOT = "hallucination.png"
LINES = {CLEAN: "-", CORRUPTED: "--"}
ABOUT = {
    CLEAN: "searched with clean notes (nothing wrong in them)",
    CORRUPTED: "searched with notes as corrupted as those learnt from",
}
PANELS = (
    ("mAP note to picture, diagnosis masked", "map:{}:masked:text_to_image"),
    ("paired cosine, diagnosis masked", "cosine:{}:masked"),
    ("kappa, from the picture alone", "kappa"),
)


def write_study(told: Mapping[str, Any], *, with_plot: bool) -> str:
    """The whole comparison.md of the study.

    Args:
        told: What comparison.json holds.
        with_plot: Whether the plot was drawn.
    """
    parts = [
        "# What wrong statements in notes do: drawn lesions",
        "Research use only, never a diagnosis. Drawn lesions are easy: only what separates the rows means something.",
        _summary(told),
        f"![Retrieval, paired cosine and kappa over the rate of errors]({PLOT})" if with_plot else "",
        "## Classification, from the picture alone",
        _kappa(told),
        *(_searched(told, queries, version) for version in VERSIONS for queries in (CLEAN, CORRUPTED)),
        "## Relative losses",
        _losses(told),
        _left_out(told),
        _method(told),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def verdict(loss: Mapping[str, Any]) -> str:
    """What the interval over seeds allows to be said of one measure's loss beside that of kappa."""
    more = loss["more_than_kappa"]
    if more is None or more["mean"] is None or more["ci"] is None:
        return "cannot be told (too few seeds)"
    low, high = more["ci"]
    if low > 0:
        return "hurt more than classification"
    return "hurt less than classification" if high < 0 else "no difference from classification can be told"


def _summary(told: Mapping[str, Any]) -> str:
    first, last = (f"{100 * rate:g}%" for rate in (told["rates"][0], told["rates"][-1]))
    lines = []
    for kind in told["kinds"]:
        kappa = next((each for each in told["losses"] if (each["kind"], each["measure"]) == (kind, "kappa")), None)
        if kappa is None:
            continue
        lost = [f"kappa {_share(kappa['loss'])} of its value"]
        for version, words in VERSIONS.items():
            means = [each["loss"]["mean"] for each in _alignment(told, version) if each["kind"] == kind]
            means = [100 * mean for mean in means if mean is not None]
            if means:
                span = f"{min(means):.0f}% to {max(means):.0f}%" if len(means) > 1 else f"{means[0]:.0f}%"
                lost.append(f"{words}, searches and cosine {span} of what lay above chance")
        lines.append(f"{kind}, from {first} to {last} wrong, loses: {'; '.join(lost)}.")
    if not lines:
        return "## In plain words\n\nThe rates that would be compared are not finished yet."
    claim = (
        "The claim tested (arXiv 2511.21827): unsupported text hurts alignment more than classification. What an"
        " interval that holds 0 cannot tell stays open. Masked is the headline: as written, a note of m+p1 or m+p2"
        " still names the right class, whatever else is wrong in it."
    )
    return f"## In plain words\n\n{claim}\n\n{claim_tested(told)}\n\n" + "\n".join(f"- {line}" for line in lines)


def _alignment(told: Mapping[str, Any], version: str) -> list[Mapping[str, Any]]:
    """Losses of searches and cosine with one version of the notes."""
    return [each for each in told["losses"] if each["more_than_kappa"] is not None and version in each["measure"]]


def claim_tested(told: Mapping[str, Any]) -> str:
    """Whether wrong statements hurt alignment more than classification, whichever way it came out."""
    return " ".join(filter(None, (_outcome(_alignment(told, version), words) for version, words in VERSIONS.items())))


def _outcome(losses: Sequence[Mapping[str, Any]], words: str) -> str:
    if not losses:
        return ""
    verdicts = [verdict(each) for each in losses]
    more, less = (sum(each.startswith(f"hurt {word}") for each in verdicts) for word in ("more", "less"))
    if verdicts and more == len(verdicts):
        outcome = "it held here"
    elif less and not more:
        outcome = "it did not hold here"
    elif more and not less:
        outcome = "it held in part, and what is left cannot be told"
    else:
        outcome = "it came out both ways" if more and less else "these runs cannot tell"
    return (
        f"**On drawn lesions, {words}, {outcome}**: of {len(verdicts)} measures of alignment (kinds of notes, clean and"
        f" corrupted queries, mAP both ways and cosine) {more} lost more than kappa did, {less} less, and of"
        f" {len(verdicts) - more - less} no difference can be told."
    )


def _share(told: Mapping[str, Any]) -> str:
    if told["mean"] is None:
        return "nothing that could be measured"
    ends = f" [{100 * told['ci'][0]:.0f}, {100 * told['ci'][1]:.0f}]" if told["ci"] else ""
    return f"{100 * told['mean']:.0f}%{ends}"


def _kappa(told: Mapping[str, Any]) -> str:
    rows = [[kind, *(_mean(told, kind, rate, "kappa") for rate in told["rates"])] for kind in told["kinds"]]
    without = told["image_only"]
    if without is not None:
        line = _spread(without["by_seed"], None)
        rows.append(["image-only, no notes", line, *("" for _ in told["rates"][1:])])
    return f"{table(_header(told), rows)}\n\n{_caption(told, 'Unweighted kappa.')}"


def _searched(told: Mapping[str, Any], queries: str, version: str) -> str:
    parts = [f"## {VERSIONS[version][0].upper()}{VERSIONS[version][1:]}, {ABOUT[queries]}"]
    for measure in searches(queries):
        if measure.version == version:
            rows = [[kind, *(_mean(told, kind, rate, measure.key) for rate in told["rates"])] for kind in told["kinds"]]
            parts.append(f"{_words(measure)} (in brackets: chance)\n\n{table(_header(told), rows)}")
    return "\n\n".join([*parts, _caption(told, "Mean over seeds, lowest to highest seed.")])


def _words(measure: Measure) -> str:
    said = measure_in_words(measure.key)
    return said[0].upper() + said[1:] if not said.startswith("mAP") else said


def _header(told: Mapping[str, Any]) -> list[str]:
    return ["notes", *(f"{100 * rate:g}% wrong" for rate in told["rates"])]


def _mean(told: Mapping[str, Any], kind: str, rate: float, measure: str) -> str:
    for each in told["points"]:
        if (each["kind"], each["rate"], each["measure"]) == (kind, rate, measure):
            return _spread(each["by_seed"], None if measure == "kappa" else each["chance_by_seed"])
    return "–"


def _spread(values: list[float], chance: list[float] | None) -> str:
    ends = (min(values), max(values)) if len(values) > 1 else None
    return number(float(np.mean(values)), ends) + (f" ({number(float(np.mean(chance)))})" if chance else "")


def _losses(told: Mapping[str, Any]) -> str:
    rows = [
        [
            each["kind"],
            _queries(each["measure"]),
            measure_in_words(each["measure"]),
            _share(each["loss"]),
            _share(each["more_than_kappa"]) if each["more_than_kappa"] else "",
            verdict(each) if each["more_than_kappa"] else "",
        ]
        for each in told["losses"]
    ]
    header = ["notes", "searched with", "measure", "relative loss [95% over seeds]", "more than kappa", "verdict"]
    what = (
        f"From {100 * told['rates'][0]:g}% to {100 * told['rates'][-1]:g}% wrong, of what lies above chance (of cosine:"
        " above random pairs), seed by seed; interval by Student's t over seeds."
    )
    return f"{table(header, rows)}\n\n{_caption(told, what)}"


def _queries(measure: str) -> str:
    return next((name for name in (CLEAN, CORRUPTED) if name in measure.split(":")), "")


def _left_out(told: Mapping[str, Any]) -> str:
    if not told["left_out"]:
        return ""
    rows = [[each["name"], each["reason"]] for each in told["left_out"]]
    return f"## Left out\n\n{table(['cell', 'why'], rows)}"


def _caption(told: Mapping[str, Any], what: str) -> str:
    return (
        f"{what} Data: {told['n_cases']} drawn lesions of a seed of their own, none learnt from; training seeds"
        f" {', '.join(map(str, told['seeds']))}; device {told['device'] or 'unknown'}; `{told['command']}`."
    )


def _method(told: Mapping[str, Any]) -> str:
    lines = [
        "A stand-in for a language model writes the notes; no network. M+P1: closed options for asymmetry, border,"
        " colours and structures; M+P2: free text; both are told the diagnosis, which stays right. P3: sees the picture"
        " alone, its diagnosis is wrong at the same rate as its attributes.",
        "Each attribute is wrong independently; what is wrong at one rate is wrong at every higher one; notes of one"
        " lesion share their wording over all rates.",
        f"Trained on the training split of {told['drawn']} drawn lesions, the epoch chosen on its validation split by"
        " pictures alone.",
        ", ".join(f"{name} {version}" for name, version in told["versions"].items()) + ".",
    ]
    return "## How it was measured\n\n" + "\n".join(f"- {line}" for line in lines)


def draw_study(told: Mapping[str, Any], folder: Path) -> bool:
    """Draws the three panels with their bands over seeds; whether it was done."""
    if not told["points"] or not can_draw():
        (folder / PLOT).unlink(missing_ok=True)
        return False
    with drawing(folder / PLOT, 13, 4.6) as figure:
        for axes, (title, measure) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
            for number_of, kind in enumerate(told["kinds"]):
                for queries in (CLEAN, CORRUPTED) if "{}" in measure else (CLEAN,):
                    _curve(axes, told, kind, measure.format(queries), COLOURS[number_of], queries)
            if measure == "kappa" and told["image_only"]:
                values = told["image_only"]["by_seed"]
                axes.axhline(float(np.mean(values)), color="k", linewidth=1, label="image-only")
                axes.axhspan(min(values), max(values), color="k", alpha=0.08)
            axes.set(title=title, xlabel="wrong attributes, % (p3: diagnoses too)")
            axes.set_ylim(min(0.0, axes.get_ylim()[0]), 1.0)  # a small step shall not look like a large one
            axes.grid(color="0.92")
            axes.legend(fontsize="x-small")
    return True


def _curve(axes: Any, told: Mapping[str, Any], kind: str, measure: str, colour: str, queries: str) -> None:
    points = [each for each in told["points"] if each["kind"] == kind and each["measure"] == measure]
    if not points:
        return
    rates = [100 * each["rate"] for each in points]
    label = f"{kind}, {queries} notes" if ":" in measure else kind
    means = [float(np.mean(each["by_seed"])) for each in points]
    axes.plot(rates, means, LINES[queries], marker="o", markersize=3, color=colour, label=label)
    ends = [(min(each["by_seed"]), max(each["by_seed"])) for each in points]
    axes.fill_between(rates, *zip(*ends, strict=True), color=colour, alpha=0.12)
    if ":" in measure:
        chance = [float(np.mean(each["chance_by_seed"])) for each in points]
        axes.plot(rates, chance, ":", color=colour, linewidth=1, alpha=0.7)
