"""A note's text with its claims marked where they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

from dermnote.app.claims.verdict_labels import BY_NAME, VERDICTS, describe_claim


def mark_claims(text: str, claims: Sequence[Mapping[str, Any]]) -> str:
    """The escaped text; every stretch that a claim covers is a <mark>.

    Claims may overlap: the text is cut wherever one begins or ends, and a stretch under several takes the look of the
    worst. A screen reader hears each claim once, at its end.

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
