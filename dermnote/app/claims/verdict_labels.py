"""The four verdicts on a claim: their mark, so that nothing is told by colour alone, and what they mean to a reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

NO_BREAK = "&#8288;"  # between a mark and its words


@dataclass(frozen=True)
class Verdict:
    """How a verdict is shown.

    Attributes:
        name: As the audit writes it.
        css: Last part of its class and of its colours in page.css.
        mark: One character that stands by each claim.
        means: What it says, for the legend.
    """

    name: str
    css: str
    mark: str
    means: str

    def icon(self) -> str:
        """The mark, for the eye; the words beside it are what a screen reader says."""
        return f'<i class="dn-verdict-mark" aria-hidden="true">{self.mark}</i>{NO_BREAK}'


# The worst first: where claims overlap, the text takes the look of the first.
VERDICTS = (
    Verdict("contradicted", "contradicted", "✕", "something else is recorded"),
    Verdict("unsupported", "unsupported", "?", "nothing recorded says so"),
    Verdict("supported", "supported", "✓", "agrees with what is recorded"),
    Verdict("not checkable", "unchecked", "–", "nothing to check it against"),
)
BY_NAME = {each.name: each for each in VERDICTS}


def describe_claim(claim: Mapping[str, Any]) -> str:
    """A claim in words: "diagnosis: melanoma, denied, contradicted"; an assertion goes without saying."""
    polarity = "" if claim["polarity"] == "asserted" else f", {claim['polarity']}"
    return f"{claim['kind']}: {claim['value']}{polarity}, {claim['verdict']}"


def legend(counts: Mapping[str, int]) -> str:
    """The verdicts that occur, each with its mark, how many claims bear it, and what it means."""
    rows = "".join(
        f'<li><span class="dn-claim dn-claim-{each.css}">{each.icon()}{escape(each.name)}</span> '
        f"<b>{counts[each.name]}</b> <span>{escape(each.means)}</span></li>"
        for each in VERDICTS
        if counts.get(each.name)
    )
    return f'<ul class="dn-legend" aria-label="Legend">{rows}</ul>'
