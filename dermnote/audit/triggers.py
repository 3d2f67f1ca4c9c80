"""All phrases that deny, hedge or conclude, in one search table.

Patterns list alternatives in brackets, which may be empty: "(is|are) (|not) seen". `FILLERS` may stand inside any of
them, so "cannot be entirely excluded" needs no entry of its own.
"""

from __future__ import annotations

from dermnote.audit.phrases import Phrases, spell_out
from dermnote.audit.tokens import forms
from dermnote.vocabularies.lexicon.bounds import BOUNDS
from dermnote.vocabularies.lexicon.conclusions import CONCLUSIONS
from dermnote.vocabularies.lexicon.denials import DENIALS
from dermnote.vocabularies.lexicon.hedges import HEDGES
from dermnote.vocabularies.lexicon.scope import Reach

FILLERS = (
    *("entirely", "fully", "completely", "totally", "wholly", "confidently", "definitely", "definitively", "reliably"),
    *(
        "dermoscopically",
        "clinically",
        "histologically",
        "therefore",
        "also",
        "safely",
        "always",
        "clearly",
        "certainly",
    ),
    *(
        "still",
        "formally",
        "readily",
        "easily",
        "absolutely",
        "really",
        "strictly",
        "quite",
        "much",
        "rather",
        "highly",
    ),
    *("a", "an", "the", "my", "our", "one", "main", "chief", "leading", "important", "relevant", "principal", "key"),
    *("further", "close", "closest", "nearest", "major", "valid", "clinical", "working", "final", "given", "stated"),
    *("all", "both", "sometimes", "often", "some", "careful", "thus", "hence", "then", "simply", "indeed", "likely"),
    *(
        "however",
        "more",
        "most",
        "strongly",
        "best",
        "well",
        "perfectly",
        "somewhat",
        "only",
        "ever",
        "convincingly",
        "first",
    ),
)
# Behind what "no" denies, these end its reach: "no network is seen and ...".
SEEN = frozenset(
    forms("seen visible present evident identified noted found detected recognised appreciated observed apparent")
)
# Ends the reach of what stands before it when it opens a clause after "and": "no streaks, and the border is sharp".
DETERMINERS = frozenset(
    forms("a an the there it its this these some few several many numerous multiple prominent occasional")
)
BE = frozenset(forms("is are was were be been being has have had"))
FINITE = BE | frozenset(
    forms("show shows seen present visible noted identified contains contain forms mean means that which")
)


def triggers() -> Phrases[Reach]:
    """All phrases; where two lists hold one, the earlier wins."""
    tables = (DENIALS, HEDGES, CONCLUSIONS, BOUNDS)
    entries = [
        (phrase, reach)
        for table in tables
        for reach, patterns in table.items()
        for pattern in patterns
        for phrase in spell_out(pattern)
    ]
    return Phrases(entries, skipping=FILLERS)
