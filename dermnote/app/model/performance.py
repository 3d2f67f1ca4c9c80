"""How well the model does: one held-out set at a time, chosen without asking the server, and all side by side."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from dermnote.app.cards import RESEARCH_ONLY
from dermnote.app.model.confusion import confusion, recall
from dermnote.app.model.held_out import HeldOut, held_out
from dermnote.app.model.overview import side_by_side
from dermnote.app.model.reliability import reliability
from dermnote.app.model.risk_coverage import risk_coverage
from dermnote.app.model.score_table import scores
from dermnote.app.model.subgroup_table import groups
from dermnote.app.model.summary import summary

NOT_MEASURED = "Nothing was measured for this bundle, so nothing is claimed."
PARTS = (scores, confusion, recall, reliability, risk_coverage, groups)
# Shows the panel of the chosen set. Listens on the element that stays when its HTML is replaced.
CHOOSE_SET = """
element.addEventListener('change', (event) => {
  const choice = event.target;
  if (!choice.matches('[data-choose]')) return;
  for (const panel of element.querySelectorAll('[data-panel]')) panel.hidden = panel.dataset.panel !== choice.value;
});
"""


def how_well(metrics: Any) -> str:
    """Everything that is told of the figures; a bundle without any says so.

    Args:
        metrics: What the bundle's metrics.json holds; of any shape.
    """
    shown = [(held, inner) for held in held_out(metrics) if (inner := _in_words(held) + _parts(held))]
    if not shown:
        return _card(f"<p>{NOT_MEASURED}</p>")
    panels = "".join(_panel(place, inner) for place, (_, inner) in enumerate(shown))
    sets = [held for held, _ in shown]
    return f"{_card(_choice(sets))}{panels}{side_by_side(sets)}"


def _card(inner: str) -> str:
    return (
        '<section class="dn-card"><div class="dn-card-head"><h2>How well it does</h2>'
        f'<span class="dn-caution">{RESEARCH_ONLY}</span></div>{inner}</section>'
    )


def _choice(sets: Sequence[HeldOut]) -> str:
    options = "".join(f'<option value="{place}">{escape(_option(held))}</option>' for place, held in enumerate(sets))
    return (
        '<p class="dn-lead">Measured on pictures the model was not trained on, of other patients or lesions.</p>'
        f'<label class="dn-choice">Held-out pictures<select data-choose autocomplete="off">{options}</select></label>'
    )


def _option(held: HeldOut) -> str:
    return held.name if held.n_pictures is None else f"{held.name} ({held.n_pictures:,} pictures)"


def _panel(place: int, inner: str) -> str:
    return f'<div class="dn-measured" data-panel="{place}"{" hidden" if place else ""}>{inner}</div>'


def _in_words(held: HeldOut) -> str:
    said = "".join(f"<li>{escape(sentence)}</li>" for sentence in summary(held))
    if not said:
        return ""
    title = f"In plain words: {escape(held.name)}"
    return f'<section class="dn-card dn-wide"><h3>{title}</h3><ul class="dn-list">{said}</ul></section>'


def _parts(held: HeldOut) -> str:
    return "".join(part(held) for part in PARTS)
