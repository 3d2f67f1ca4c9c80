"""Which class is taken for which, and how much of each class is told right."""

from __future__ import annotations

from html import escape

from dermnote.app.model.held_out import FEW, HeldOut
from dermnote.models.prediction import percent

STRONGEST = 45  # percent of the fill's colour at most: ink stays readable on it, light and dark


def confusion(held: HeldOut) -> str:
    """The confusion matrix in percent of each recorded class, with the number of its pictures."""
    counts = held.confusion
    if counts is None or not any(map(sum, counts)):
        return ""
    heads = "".join(f'<th scope="col">{_numbered(place, name)}</th>' for place, name in enumerate(held.classnames))
    rows = "".join(_row(place, name, counts[place]) for place, name in enumerate(held.classnames) if sum(counts[place]))
    absent = [name for place, name in enumerate(held.classnames) if not sum(counts[place])]
    missing = f" No picture here shows: {', '.join(absent)}." if absent else ""
    return (
        '<section class="dn-card"><h3>Which class is taken for which</h3>'
        '<div class="dn-table dn-confusion" tabindex="0" role="region" aria-label="Confusion matrix"><table>'
        f'<thead><tr><th scope="col">Recorded as</th>{heads}<th scope="col">total</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        '<p class="dn-fine">A row is a recorded class, a column the class the model finds likeliest (by the numbers of '
        f"the rows), in percent of the row. On the diagonal the two agree.{escape(missing)}</p></section>"
    )


def _numbered(place: int, name: str) -> str:
    shown = escape(name)
    return f'<span aria-hidden="true" title="{shown}">{place + 1}</span><span class="dn-hidden">{shown}</span>'


def _row(place: int, name: str, counts: list[int]) -> str:
    total = sum(counts)
    cells = "".join(_cell(cell, total, own=column == place) for column, cell in enumerate(counts))
    return f'<tr><th scope="row"><i>{place + 1}</i> {escape(name)}</th>{cells}<td class="dn-total">{total:,}</td></tr>'


def _cell(cell: int, total: int, *, own: bool) -> str:
    share = cell / total
    mark = ' class="dn-own"' if own else ""
    return f'<td{mark} style="--share:{share * STRONGEST:.0f}%" title="{cell:,} of {total:,}">{100 * share:.0f}</td>'


def recall(held: HeldOut) -> str:
    """Each class as a bar: the share of its pictures that is told right."""
    rows = "".join(_class_row(held, name) for name in sorted(held.recall, key=lambda name: -held.recall[name]))
    if not rows:
        return ""
    return (
        '<section class="dn-card"><h3>How much of each class is told right</h3>'
        f'<ol class="dn-classes dn-recall">{rows}</ol><p class="dn-fine">Share of the pictures recorded as that class '
        f"that get it as their likeliest one. Of fewer than {FEW} pictures no share is told.</p></section>"
    )


def _class_row(held: HeldOut, name: str) -> str:
    share, pictures = held.recall[name], held.support[name]
    told = f"{percent(share)} of {pictures:,}" if pictures >= FEW else f"only {pictures:,}: too few to say"
    bar = f'<div class="dn-bar" aria-hidden="true"><i style="width:{share:.1%}"></i></div>' if pictures >= FEW else ""
    line = f'<span>{escape(name)}</span><span class="dn-share">{told}</span>'
    return f'<li><div class="dn-class-line">{line}</div>{bar}</li>'
