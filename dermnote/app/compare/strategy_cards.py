"""Cards of the compared strategies, their summary table, and the status line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from dermnote.app.cards import RESEARCH_ONLY, alert, card_head
from dermnote.app.claims_card import BY_NAME, HOW_READ, VERDICTS, checked_against, mark_claims, summarise_verdicts
from dermnote.app.compare.comparison import LLM_STRATEGIES, CaseComparison
from dermnote.app.llm_quota.destination import destination
from dermnote.notes.strategies import STRATEGIES, Strategy

if TYPE_CHECKING:
    from dermnote import Note
    from dermnote.metadata import LesionMetadata
    from dermnote.notes.writing import NoteWriter

TO_FILL_IN = "Fill in a diagnosis or a description above: the note is written at once, and nothing is sent."
JOINED = "Sends nothing of its own: the notes of {} are joined here."
NO_LLM = "Not available: no language model is set up here."
WAITING = "Sent. Waiting for the answer."

HEADINGS = ("Words", "Claims", "Contra\u00addicted", "Unsup\u00adported")  # soft hyphens, for a phone
NO_REQUEST, DONE = "Nothing was sent to a language model for this case.", "The notes of the language model are below."
STOPPED = "Stopped. What was sent already may still be paid for."
OUTDATED = "The fields were changed since {} requested: those notes were written and checked with the earlier values."


def strategy_card(name: str, comparison: CaseComparison, writer: NoteWriter) -> str:
    """Return the card of a strategy: its note, its error, or its state."""
    strategy, found = STRATEGIES[name], comparison.notes.get(name)
    if name in comparison.waiting:
        body = f'<p class="dn-waiting">{WAITING}</p>'
    elif found is None:
        body = _not_requested(strategy, writer, comparison.modality)
    elif found.note is None:
        body = alert(found.error)
    else:
        body = _written(found.note, found.record)
    return (
        f'<section class="dn-card dn-strategy" aria-label="Strategy {escape(name.upper())}" data-strategy="{name}">'
        f'<h3>{escape(name.upper())}</h3><p class="dn-sees">{escape(describe_strategy(strategy))}</p>{body}</section>'
    )


def describe_strategy(strategy: Strategy) -> str:
    """Return the inputs and the output of a strategy in one line."""
    if strategy.made_of:
        return f"Sees nothing new: of {_parts(strategy)} it keeps what both say."
    given = "the record and the picture" if strategy.uses_image else "the record, no picture"
    kinds = {answer.kind for answer in strategy.prompt.answers} if strategy.prompt else set()
    if "features" in kinds:
        does = "chooses from closed lists"
    elif "class" in kinds:
        does = "writes freely, and names a class of its own"
    else:
        does = f"writes freely on {len(strategy.prompt.answers)} points" if strategy.prompt else "fills a template"
    return f"Sees {given if strategy.tells else 'the picture, no record'}; {does}."


def _parts(strategy: Strategy) -> str:
    return " and ".join(name.upper() for name in strategy.made_of)


def _not_requested(strategy: Strategy, writer: NoteWriter, modality: str) -> str:
    if not strategy.needs_model:
        return f'<p class="dn-destination">{TO_FILL_IN}</p>'
    if not writer.is_set_up:
        return f'<p class="dn-destination">{NO_LLM}</p>'
    if strategy.made_of:
        return f'<p class="dn-destination">{escape(JOINED.format(_parts(strategy)))}</p>'
    return destination(strategy.name, writer, modality, demographics=False)


def _written(note: Note, record: LesionMetadata) -> str:
    claims = (note.audit or {}).get("claims") or []
    against = checked_against(record, note.findings)
    alarm, rest = summarise_verdicts(claims, against)
    basis = f"Checked against {against}." if against else ""
    by = "" if note.model == "template" else f"Written by {note.model}."
    return (
        f'<p class="dn-marked">{mark_claims(note.text, claims)}</p>{_counted(claims)}'
        f'<p class="dn-outcome"><strong>{escape(alarm)}</strong> {escape(rest)}</p>'
        f'<p class="dn-fine">{escape(f"{by} {basis}".strip())} {RESEARCH_ONLY}</p>'
    )


def _counted(claims: Sequence[Mapping[str, Any]]) -> str:
    """Return the counts of each verdict as a bar and in words."""
    counts = Counter(claim["verdict"] for claim in claims)
    shares = "".join(
        f'<i class="dn-part-{each.css}" style="flex-grow:{counts[each.name]}"></i>'
        for each in VERDICTS
        if counts[each.name]
    )
    words = "".join(
        f"<li{'' if counts[each.name] else ' class=dn-none'}>{each.icon()}<b>{counts[each.name]}</b> {each.name}</li>"
        for each in VERDICTS
    )
    return f'<div class="dn-parts" aria-hidden="true">{shares}</div><ul class="dn-counts">{words}</ul>'


def summary_card(comparison: CaseComparison) -> str:
    """Return a table with a row per strategy: words, claims, and the counts of contradicted and unsupported ones."""
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Strategy", *HEADINGS))
    rows = "".join(_row(name, comparison) for name in STRATEGIES)
    data = escape(json.dumps(comparison.download(), ensure_ascii=False))
    return (
        f'<section class="dn-card" aria-label="Summary" data-record="{data}">'
        f"{card_head('What each strategy claims')}"
        '<div class="dn-table" tabindex="0" role="region" aria-label="Claims by strategy"><table><thead>'
        f"<tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        f'<p class="dn-fine">{HOW_READ}</p></section>'
    )


def _row(name: str, comparison: CaseComparison) -> str:
    found = comparison.notes.get(name)
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


def status_line(comparison: CaseComparison) -> str:
    """Return the progress of the requests, or a remark on the notes below."""
    if comparison.waiting:
        arrived = len(LLM_STRATEGIES) - len(comparison.waiting)
        return _line(f"{arrived} of {len(LLM_STRATEGIES)} notes by the language model are there.")
    if comparison.stopped:
        return _line(STOPPED, "dn-not-set-up")
    if comparison.outdated:
        names = ", ".join(name.upper() for name in comparison.outdated)
        was = "was" if len(comparison.outdated) == 1 else "were"
        return _line(OUTDATED.format(f"{names} {was}"), "dn-not-set-up")
    return _line(DONE if any(name in comparison.notes for name in LLM_STRATEGIES) else NO_REQUEST)


def _line(text: str, css: str = "") -> str:
    return f'<p class="dn-destination {css}" role="status">{escape(text)}</p>'
