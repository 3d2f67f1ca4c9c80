"""How many answers are wrong if the doubtful pictures are left out."""

from __future__ import annotations

from collections.abc import Mapping

from dermnote.app.model.figure import UNKNOWN, Figure
from dermnote.app.model.held_out import HeldOut
from dermnote.app.model.html_tables import Column, folded_table
from dermnote.app.model.line_chart import Axes, round_up
from dermnote.app.model.untrusted import count, sequence, share, table
from dermnote.models.prediction import percent

WAYS = {"confidence": ("the least sure first", "line"), "distance": ("the farthest from known cases first", "second")}
HALF = 0.5
Curve = list[tuple[float, float]]  # share answered, share of the answers that are wrong


def risk_coverage(held: HeldOut) -> str:
    """Chart, table and the pictures unlike anything known; "" if it was not measured."""
    told = table(held.block.get("selective"))
    curves = {way: points for way in WAYS if (points := _curve(table(told.get(way))))}
    if not curves:
        return ""
    top = round_up(max(risk for points in curves.values() for _, risk in points))
    axes = Axes("share of the pictures that is answered", "wrong among the answers", top)
    marks = "".join(axes.line(points, WAYS[way][1]) for way, points in curves.items())
    described = "Risk and coverage: share of wrong answers as doubtful pictures are left out. " + _read_aloud(curves)
    return (
        f'<section class="dn-card"><h3>Leaving out what it is unsure of</h3>{axes.draw(marks, described)}'
        f'{_legend(curves)}<p class="dn-fine">{_read_aloud(curves)} {_far(held, table(told.get("far")))}</p>'
        f"{_table(curves)}</section>"
    )


def _curve(told: Mapping[str, object]) -> Curve:
    answered, wrong = sequence(told.get("coverage")), sequence(told.get("risk"))
    points = [(share(x), share(y)) for x, y in zip(answered, wrong, strict=False)]
    return sorted((x, y) for x, y in points if x is not None and y is not None)


def _legend(curves: Mapping[str, Curve]) -> str:
    keys = "".join(
        f'<li><svg viewBox="0 0 26 6" aria-hidden="true"><line class="dn-plot-{WAYS[way][1]}" x1="0" y1="3" x2="26" '
        f'y2="3"/></svg>left out: {WAYS[way][0]}</li>'
        for way in curves
    )
    return f'<ul class="dn-keys">{keys}</ul>'


def _read_aloud(curves: Mapping[str, Curve]) -> str:
    points = next(iter(curves.values()))
    half = min(points, key=lambda point: abs(point[0] - HALF))
    (most, wrong), (fewer, then_wrong) = points[-1], half
    return (
        f"Answering {most:.0%} of the pictures, {percent(wrong)} of the answers are wrong; answering {fewer:.0%}, "
        f"{percent(then_wrong)}."
    )


def _far(held: HeldOut, told: Mapping[str, object]) -> str:
    flagged, right = count(told.get("n_flagged")), Figure.of(told.get("accuracy_flagged"))
    if flagged is None or held.n_pictures is None:
        return ""
    said = f"{flagged:,} of {held.n_pictures:,} lie farther from every known case than most"
    return said + (f"; {right.as_share()} of these are told right." if flagged and right.value is not None else ".")


def _table(curves: Mapping[str, Curve]) -> str:
    columns = [Column("Answered"), *(Column(f"Wrong, {WAYS[way][0]}") for way in curves)]
    by_way = [dict(points) for points in curves.values()]
    answered = sorted({x for points in by_way for x in points})
    rows = [[f"{x:.0%}", *(percent(points[x]) if x in points else UNKNOWN for points in by_way)] for x in answered]
    return folded_table("Risk and coverage", columns, rows)
