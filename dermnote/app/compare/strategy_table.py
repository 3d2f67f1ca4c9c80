"""All strategies in one short table, and the line above it that says how the asking goes."""

from __future__ import annotations

import json
from collections import Counter
from html import escape
from typing import TYPE_CHECKING

from dermnote.app.cards import RESEARCH_ONLY
from dermnote.app.claims.claims_card import HOW_READ
from dermnote.app.claims.verdict_labels import BY_NAME
from dermnote.app.compare.comparison import ASKED
from dermnote.notes.strategies import STRATEGIES

if TYPE_CHECKING:
    from dermnote import Note
    from dermnote.app.compare.comparison import Comparison

HEADINGS = ("Words", "Claims", "Contra\u00addicted", "Unsup\u00adported")  # soft hyphens, for a phone
NOT_ASKED, DONE = "No language model was asked for this case.", "The language model was asked; see below."
STOPPED = "Stopped. What was sent already may still be paid for."
OUTDATED = (
    "The fields were changed since {} asked for: those notes were written and checked with what was filled in then."
)


def summary_card(comparison: Comparison) -> str:
    """A row for each strategy: words, claims, and how many of them are contradicted and unsupported."""
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Strategy", *HEADINGS))
    rows = "".join(_row(name, comparison) for name in STRATEGIES)
    kept = escape(json.dumps(comparison.download(), ensure_ascii=False))
    return (
        f'<section class="dn-card" aria-label="Summary" data-record="{kept}"><div class="dn-card-head">'
        f'<h3>What each strategy claims</h3><span class="dn-caution">{RESEARCH_ONLY}</span></div>'
        '<div class="dn-table" tabindex="0" role="region" aria-label="Claims by strategy"><table><thead>'
        f"<tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        f'<p class="dn-fine">{HOW_READ}</p></section>'
    )


def _row(name: str, comparison: Comparison) -> str:
    found = comparison.outcomes.get(name)
    if found is None or found.note is None:
        state = "waiting" if name in comparison.waiting else "no note, see below" if found else "not written"
        cells = f'<td colspan="{len(HEADINGS)}" class="dn-soft">{state}</td>'
    else:
        cells = _cells(found.note)
    return f'<tr><th scope="row">{escape(name.upper())}</th>{cells}</tr>'


def _cells(note: Note) -> str:
    claims = (note.audit or {}).get("claims") or []
    counts = Counter(claim["verdict"] for claim in claims)
    plain = f"<td>{len(note.text.split())}</td><td>{len(claims)}</td>"
    return plain + "".join(_verdict(verdict, counts[verdict]) for verdict in ("contradicted", "unsupported"))


def _verdict(name: str, count: int) -> str:
    if not count:
        return "<td>0</td>"
    verdict = BY_NAME[name]
    return f'<td><span class="dn-claim dn-claim-{verdict.css}">{verdict.icon()}{count}</span></td>'


def status_line(comparison: Comparison) -> str:
    """How far the asking is, or what to know of the notes below."""
    if comparison.waiting:
        come = len(ASKED) - len(comparison.waiting)
        return _line(f"{come} of {len(ASKED)} notes by the language model are there.")
    if comparison.stopped:
        return _line(STOPPED, "dn-not-set-up")
    if comparison.outdated:
        names = ", ".join(name.upper() for name in comparison.outdated)
        was = "was" if len(comparison.outdated) == 1 else "were"
        return _line(OUTDATED.format(f"{names} {was}"), "dn-not-set-up")
    return _line(DONE if any(name in comparison.outcomes for name in ASKED) else NOT_ASKED)


def _line(text: str, css: str = "") -> str:
    return f'<p class="dn-destination {css}" role="status">{escape(text)}</p>'
