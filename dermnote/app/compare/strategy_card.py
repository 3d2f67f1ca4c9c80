"""One strategy's card: what it sees, its note with every claim marked, and how many claims fared how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from dermnote.app import cards
from dermnote.app.claims.claims_card import checked_against, outcome
from dermnote.app.claims.marked_text import mark_claims
from dermnote.app.claims.verdict_labels import VERDICTS
from dermnote.app.llm_quota.destination import destination
from dermnote.notes.strategies import STRATEGIES, Strategy

if TYPE_CHECKING:
    from dermnote import Note
    from dermnote.app.compare.comparison import Comparison
    from dermnote.metadata import LesionMetadata
    from dermnote.notes.writing import NoteWriter

TO_FILL_IN = "Fill in a diagnosis or a description above: the note is written at once, and nothing is sent."
JOINED = "Sends nothing of its own: the notes of {} are joined here."
NOT_ASKED = "Not asked: no language model is set up here."
WAITING = "Asked. Waiting for the answer."


def strategy_card(name: str, comparison: Comparison, writer: NoteWriter) -> str:
    """The card of a strategy as things stand: its note, its error, or what it waits for.

    Args:
        name: Of the strategy.
        comparison: The case.
        writer: What asks the language model.
    """
    strategy, found = STRATEGIES[name], comparison.outcomes.get(name)
    if name in comparison.waiting:
        body = f'<p class="dn-waiting">{WAITING}</p>'
    elif found is None:
        body = _not_asked(strategy, writer, comparison.modality)
    elif found.note is None:
        body = cards.alert(found.error)
    else:
        body = _written(found.note, found.record)
    return (
        f'<section class="dn-card dn-strategy" aria-label="Strategy {escape(name.upper())}" data-strategy="{name}">'
        f'<h3>{escape(name.upper())}</h3><p class="dn-sees">{escape(sees(strategy))}</p>{body}</section>'
    )


def sees(strategy: Strategy) -> str:
    """What a strategy is given and what it does with it, in one line."""
    if strategy.made_of:
        return f"Sees nothing new: of {_parts(strategy)} it keeps what both say."
    given = "the record and the picture" if strategy.uses_picture else "the record, no picture"
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


def _not_asked(strategy: Strategy, writer: NoteWriter, modality: str) -> str:
    if not strategy.needs_model:
        return f'<p class="dn-destination">{TO_FILL_IN}</p>'
    if not writer.is_set_up:
        return f'<p class="dn-destination">{NOT_ASKED}</p>'
    if strategy.made_of:
        return f'<p class="dn-destination">{escape(JOINED.format(_parts(strategy)))}</p>'
    return destination(strategy.name, writer, modality, demographics=False)


def _written(note: Note, record: LesionMetadata) -> str:
    claims = (note.audit or {}).get("claims") or []
    against = checked_against(record, note.findings)
    alarm, rest = outcome(claims, against)
    basis = f"Checked against {against}." if against else ""
    by = "" if note.model == "template" else f"Written by {note.model}."
    return (
        f'<p class="dn-marked">{mark_claims(note.text, claims)}</p>{_counted(claims)}'
        f'<p class="dn-outcome"><strong>{escape(alarm)}</strong> {escape(rest)}</p>'
        f'<p class="dn-fine">{escape(f"{by} {basis}".strip())} {cards.RESEARCH_ONLY}</p>'
    )


def _counted(claims: Sequence[Mapping[str, Any]]) -> str:
    """How many claims bear each verdict, as a bar and in words."""
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
