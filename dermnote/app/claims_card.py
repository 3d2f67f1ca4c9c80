"""Claims of a note and their verdicts: marked text, legend, card, and the data of the download."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from dermnote.app.cards import RESEARCH_ONLY, count_of
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
FROM_RECORD = {"diagnosis", "malignancy", "subtype", "site", "age", "sex"}  # other kinds are image findings
CHOSEN = ("stated_class", "stated_malignancy")  # findings that are no features: the text is not checked against them
CONTRADICTS, UNBACKED = ("contradicts", "contradict"), ("is not backed by", "are not backed by")
TITLE = "<h3>Claims in this note</h3>"
HOW_READ = "Claims are read from the note's words by rules, which miss some and misread others."
EDITED = (
    "The note was edited since it was checked, and what was found then may not hold. Check it with the button above."
)
NO_BREAK = "&#8288;"  # between a mark and its words


@dataclass(frozen=True)
class VerdictStyle:
    """Presentation of a verdict.

    Attributes:
        name: As the audit writes it.
        css: Last part of its class and of its colours in page.css.
        mark: One character, so that no verdict is shown by colour alone.
        meaning: For the legend.
    """

    name: str
    css: str
    mark: str
    meaning: str

    def icon(self) -> str:
        """Return the mark as HTML, hidden from screen readers, which read the words beside it."""
        return f'<i class="dn-verdict-mark" aria-hidden="true">{self.mark}</i>{NO_BREAK}'


# The worst first: where claims overlap, the text takes the style of the first.
VERDICTS = (
    VerdictStyle("contradicted", "contradicted", "✕", "something else is recorded"),
    VerdictStyle("unsupported", "unsupported", "?", "nothing recorded says so"),
    VerdictStyle("supported", "supported", "✓", "agrees with what is recorded"),
    VerdictStyle("not checkable", "unchecked", "–", "nothing to check it against"),
)
BY_NAME = {each.name: each for each in VERDICTS}


def claims_card(note: Note, record: LesionMetadata, edited: bool = False) -> str:
    """Return the note's text with its claims marked, their legend, and the record they were checked against."""
    claims = (note.audit or {}).get("claims")
    unchecked = f'{TITLE}<p class="dn-outcome">This note was not checked.</p>'
    inner = unchecked if claims is None else _checked(note, claims, record)
    data = escape(json.dumps(download(note, record, edited), ensure_ascii=False))
    return (
        f'<section class="dn-card dn-claims" aria-label="Claims in this note" data-record="{data}">'
        f'<p class="dn-edited" role="status">{EDITED}</p><div class="dn-as-written">{inner}</div></section>'
    )


def download(note: Note, record: LesionMetadata, edited: bool) -> dict[str, Any]:
    """Return the contents of the file that "Download note and audit" saves."""
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


def _checked(note: Note, claims: Sequence[Mapping[str, Any]], record: LesionMetadata) -> str:
    against = checked_against(record, note.findings)
    alarm, rest = summarise_verdicts(claims, against)
    body = f'<p class="dn-marked">{mark_claims(note.text, claims)}</p>'
    if claims:
        body += legend(Counter(claim["verdict"] for claim in claims)) + _listed(claims)
    if not against and (note.audit or {}).get("label_from"):  # a predicted class: little to check, so it is folded
        return f"<details><summary>{TITLE}<span>{escape(rest)}</span></summary>{body}</details>"
    basis = f"Checked against {escape(against)}. " if against else ""
    return (
        f'{TITLE}<p class="dn-outcome" role="status"><strong>{escape(alarm)}</strong> {escape(rest)}</p>{body}'
        f'<p class="dn-fine">{basis}{HOW_READ}</p>'
    )


def checked_against(record: LesionMetadata, findings: Mapping[str, Any] | None) -> str:
    """Return the basis of a note's audit in words; "" if there was none."""
    known = record.to_mapping()
    facts = [f"{title} {_value(known[name])}" for name, title in CHECKED.items() if name in known]
    parts = [f"what you filled in ({', '.join(facts)})"] if facts else []
    if any(name not in CHOSEN for name in findings or {}):
        parts.append("the findings the language model chose from the closed lists")
    return " and ".join(parts)


def summarise_verdicts(claims: Sequence[Mapping[str, Any]], against: str) -> tuple[str, str]:
    """Return the result of the audit in sentences: the contradictions, then the rest; either may be empty."""
    if not claims:
        return "", "No claim was found in the words of this note."
    if not against:
        return "", f"{count_of(len(claims), 'claim')}. Nothing to check against: no record given."
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
    return f"{count_of(len(claims), 'claim')} {one if len(claims) == 1 else several} {what}: {kinds}."


def _listed(claims: Sequence[Mapping[str, Any]]) -> str:
    rows = "".join(f"<li>{BY_NAME[claim['verdict']].icon()}{escape(describe_claim(claim))}</li>" for claim in claims)
    return f'<details class="dn-each"><summary>Each claim in words</summary><ul>{rows}</ul></details>'


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def mark_claims(text: str, claims: Sequence[Mapping[str, Any]]) -> str:
    """Return the escaped text with every stretch that a claim covers in a <mark>.

    Claims may overlap: the text is cut wherever one begins or ends, and a stretch under several takes the style of the
    worst. A screen reader reads each claim once, at its end.

    Args:
        text: The note.
        claims: Each with kind, value, polarity, verdict and span (start and end in `text`).
    """
    cuts = sorted({0, len(text), *(cut for claim in claims for cut in claim["span"])})
    return "".join(_stretch(text, begin, end, claims) for begin, end in pairwise(cuts))


def _stretch(text: str, begin: int, end: int, claims: Sequence[Mapping[str, Any]]) -> str:
    covering = [claim for claim in claims if claim["span"][0] <= begin and end <= claim["span"][1]]
    words = escape(text[begin:end])
    if not covering:
        return words
    verdicts = {claim["verdict"] for claim in covering}
    worst = next(each for each in VERDICTS if each.name in verdicts)
    begun = {claim["verdict"] for claim in covering if claim["span"][0] == begin}
    icons = "".join(BY_NAME[name].icon() for name in sorted(begun))
    title = escape("; ".join(map(describe_claim, covering)))
    spoken = "".join(
        f'<span class="dn-hidden"> ({escape(describe_claim(claim))})</span>'
        for claim in covering
        if claim["span"][1] == end
    )
    return f'<mark class="dn-claim dn-claim-{worst.css}" title="{title}">{icons}{words}{spoken}</mark>'


def describe_claim(claim: Mapping[str, Any]) -> str:
    """Return a claim in words: "diagnosis: melanoma, denied, contradicted"; "asserted" is left out."""
    polarity = "" if claim["polarity"] == "asserted" else f", {claim['polarity']}"
    return f"{claim['kind']}: {claim['value']}{polarity}, {claim['verdict']}"


def legend(counts: Mapping[str, int]) -> str:
    """Return the verdicts that occur, each with its mark, count and meaning."""
    rows = "".join(
        f'<li><span class="dn-claim dn-claim-{each.css}">{each.icon()}{escape(each.name)}</span> '
        f"<b>{counts[each.name]}</b> <span>{escape(each.meaning)}</span></li>"
        for each in VERDICTS
        if counts.get(each.name)
    )
    return f'<ul class="dn-legend" aria-label="Legend">{rows}</ul>'
