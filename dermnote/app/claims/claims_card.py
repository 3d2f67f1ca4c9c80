"""The claims a note makes and what became of each, as one card; with it goes what the download writes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from dermnote.app.cards import RESEARCH_ONLY
from dermnote.app.claims.marked_text import mark_claims
from dermnote.app.claims.verdict_labels import BY_NAME, describe_claim, legend
from dermnote.metadata import LesionMetadata

if TYPE_CHECKING:
    from dermnote import Note

CHECKED = {
    "label": "diagnosis",
    "subtype": "subtype",
    "malignancy": "malignancy",
    "age": "age",
    "sex": "sex",
    "site": "place",
}
FROM_RECORD = {"diagnosis", "malignancy", "subtype", "site", "age", "sex"}  # other kinds are of the picture's findings
CHOSEN = ("stated_class", "stated_malignancy")  # findings that are no features: nothing in the text is held to them
CONTRADICTS, UNBACKED = ("contradicts", "contradict"), ("is not backed by", "are not backed by")
TITLE = "<h3>Claims in this note</h3>"
HOW_READ = "Claims are read from the note's words by rules, which miss some and misread others."
EDITED = (
    "The note was edited since it was checked, and what was found then may not hold. Check it with the button above."
)


def claims_card(note: Note, record: LesionMetadata, edited: bool = False) -> str:
    """The note's text again with its claims marked, their legend, and what they were checked against.

    Args:
        note: With its audit.
        record: What the audit held the note against.
        edited: Whether a person changed the text since it was written.
    """
    audit = note.audit or {}
    claims = audit.get("claims")
    inner = _never_checked() if claims is None else _checked(note, claims, record)
    kept = escape(json.dumps(download(note, record, edited), ensure_ascii=False))
    return (
        f'<section class="dn-card dn-claims" aria-label="Claims in this note" data-record="{kept}">'
        f'<p class="dn-edited" role="status">{EDITED}</p><div class="dn-as-written">{inner}</div></section>'
    )


def download(note: Note, record: LesionMetadata, edited: bool) -> dict[str, Any]:
    """What "Download note and audit" writes, as JSON-able data."""
    return {
        "text": note.text,
        "strategy": note.strategy,
        "model": note.model,
        "prompt_version": note.prompt_version,
        "edited_by_hand": edited,
        "findings": note.findings,
        "record": record.to_mapping(),
        "audit": note.audit,
        "caution": RESEARCH_ONLY,
    }


def _never_checked() -> str:
    return f'{TITLE}<p class="dn-outcome">This note was not checked.</p>'


def _checked(note: Note, claims: Sequence[Mapping[str, Any]], record: LesionMetadata) -> str:
    against = checked_against(record, note.findings)
    alarm, rest = outcome(claims, against)
    body = f'<p class="dn-marked">{mark_claims(note.text, claims)}</p>'
    if claims:
        body += legend(Counter(claim["verdict"] for claim in claims)) + _listed(claims)
    if not against and (note.audit or {}).get("label_from"):  # the model's own guess: little to see, so it stays folded
        return f"<details><summary>{TITLE}<span>{escape(rest)}</span></summary>{body}</details>"
    basis = f"Checked against {escape(against)}. " if against else ""
    return (
        f'{TITLE}<p class="dn-outcome" role="status"><strong>{escape(alarm)}</strong> {escape(rest)}</p>{body}'
        f'<p class="dn-fine">{basis}{HOW_READ}</p>'
    )


def checked_against(record: LesionMetadata, findings: Mapping[str, Any] | None) -> str:
    """What a note's claims were held against, in words; empty if there was nothing."""
    known = record.to_mapping()
    said = [f"{title} {_value(known[name])}" for name, title in CHECKED.items() if name in known]
    parts = [f"what you filled in ({', '.join(said)})"] if said else []
    if any(name not in CHOSEN for name in findings or {}):
        parts.append("the findings the language model chose from the closed lists")
    return " and ".join(parts)


def outcome(claims: Sequence[Mapping[str, Any]], against: str) -> tuple[str, str]:
    """What came of the check in plain sentences: first what contradicts, then the rest; either may be empty.

    Args:
        claims: All of them.
        against: As `checked_against` says it.
    """
    if not claims:
        return "", "No claim was found in the words of this note."
    if not against:
        return "", f"{_count(len(claims))}. Nothing to check against: no record given."
    wrong = [claim for claim in claims if claim["verdict"] == "contradicted"]
    unsupported = [claim for claim in claims if claim["verdict"] == "unsupported"]
    alarm = (
        _sentence([claim for claim in wrong if claim["kind"] in FROM_RECORD], *CONTRADICTS, "the record"),
        _sentence([claim for claim in wrong if claim["kind"] not in FROM_RECORD], *CONTRADICTS, "the chosen findings"),
    )
    rest = (
        "" if wrong else "No claim contradicts what is recorded.",
        _sentence(unsupported, *UNBACKED, "what is recorded"),
    )
    return " ".join(filter(None, alarm)), " ".join(filter(None, rest))


def _sentence(claims: Sequence[Mapping[str, Any]], one: str, several: str, what: str) -> str:
    if not claims:
        return ""
    kinds = ", ".join(dict.fromkeys(claim["kind"] for claim in claims))
    return f"{_count(len(claims))} {one if len(claims) == 1 else several} {what}: {kinds}."


def _count(number: int) -> str:
    return f"{number} claim" if number == 1 else f"{number} claims"


def _listed(claims: Sequence[Mapping[str, Any]]) -> str:
    rows = "".join(f"<li>{BY_NAME[claim['verdict']].icon()}{escape(describe_claim(claim))}</li>" for claim in claims)
    return f'<details class="dn-each"><summary>Each claim in words</summary><ul>{rows}</ul></details>'


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
