"""Whom the model serves how well: kappa by sex, age, skin tone, place on the body and kind of picture."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from dermnote.app.model.figure import Figure
from dermnote.app.model.held_out import FEW, HeldOut
from dermnote.app.model.html_tables import Column, folded_table
from dermnote.app.model.untrusted import count, table, words

ATTRIBUTES = {"age_band": "age", "site": "place on the body", "modality": "kind of picture"}
MEASURES = {"kappa": "Kappa", "balanced_accuracy": "Balanced accuracy", "macro_auroc": "AUROC"}
NOTE = (
    "Dots are kappa (0 chance, 1 perfect), bars 95% intervals. The gap is between the best group and the worst, which "
    "were picked for lying far apart: among many small groups some gap is always found. Groups also differ in which "
    f"classes they have. Of fewer than {FEW} pictures nothing is told."
)


def groups(held: HeldOut) -> str:
    """A part for each attribute that is recorded; "" if there is none."""
    parts = "".join(_part(name, table(found)) for name, found in table(held.block.get("groups")).items())
    if not parts:
        return ""
    return (
        '<section class="dn-card dn-wide"><h3>Whom it serves how well</h3>'
        f'<p class="dn-fine">{escape(NOTE)}</p><div class="dn-groups">{parts}</div></section>'
    )


def _part(name: str, found: Mapping[str, object]) -> str:
    values = {words(value): table(told) for value, told in table(found.get("values")).items()}
    told = {value: each for value, each in values.items() if Figure.named(each, "kappa").value is not None}
    few = [f"{value} ({_pictures(each)})" for value, each in values.items() if value not in told]
    if not values:
        return ""
    rows = "".join(_row(value, each) for value, each in told.items())
    left = f'<p class="dn-fine">Too few to say: {escape(", ".join(few))}.</p>' if few else ""
    missing = count(found.get("not_recorded"))
    unknown = f'<p class="dn-fine">Not recorded for {missing:,} pictures.</p>' if missing else ""
    title = escape(attribute(name).capitalize())
    return (
        f'<section class="dn-group"><h4>{title}</h4><p class="dn-gap">{escape(_gap(found))}</p>'
        f'<ol class="dn-ranges">{rows}</ol>{left}{unknown}{_table(title, told)}</section>'
    )


def _pictures(told: Mapping[str, object]) -> str:
    pictures = count(told.get("n_cases"))
    return "?" if pictures is None else f"{pictures:,}"


def _row(value: str, told: Mapping[str, object]) -> str:
    kappa = Figure.named(told, "kappa")
    return (
        f'<li><span class="dn-range-name">{escape(value)} <small>{_pictures(told)} pictures</small></span>'
        f'<span class="dn-share">{kappa}</span>{_range(kappa)}</li>'
    )


def _range(kappa: Figure) -> str:
    """The interval as a bar and the figure as a dot, on a track from 0 to 1."""
    dot = _place(kappa.value or 0)
    low, high = map(_place, kappa.ends or (kappa.value or 0, kappa.value or 0))
    return (
        f'<span class="dn-range" aria-hidden="true"><i style="left:{low:.0%};width:{high - low:.0%}"></i>'
        f'<b style="left:{dot:.0%}"></b></span>'
    )


def _place(value: float) -> float:
    return min(1.0, max(0.0, value))


def _gap(found: Mapping[str, object]) -> str:
    gap = kappa_gap(found)
    worst, best = (words(table(found.get(end)).get("kappa")) for end in ("worst", "best"))
    if gap.value is None or not worst or not best:
        return "Too few pictures to compare."
    sure = "" if gap.ends and gap.ends[0] > 0 else " This may be chance."
    return f"Worst for {worst}: kappa {gap} behind {best}.{sure}"


def _table(title: str, told: Mapping[str, Mapping[str, object]]) -> str:
    columns = [Column("Group"), Column("Pictures"), *map(Column, MEASURES.values())]
    rows = [
        [value, _pictures(each), *(str(Figure.named(each, name)) for name in MEASURES)] for value, each in told.items()
    ]
    return folded_table(title, columns, rows) if rows else ""


def attribute(name: str) -> str:
    """What groups are told apart by, in words."""
    return words(ATTRIBUTES.get(name, name.replace("_", " ")))


def kappa_gap(found: object) -> Figure:
    """How far the worst group lies behind the best one, in kappa."""
    gap = table(table(table(found).get("gap")).get("kappa"))
    return Figure.of(gap.get("value"), gap.get("ci"))
