"""How a note stands to a word of its own: asserting, denying, hedging, or speaking of something else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dermnote.vocabularies.lexicon.scope import Reach

Polarity = Literal["asserted", "denied", "hedged"]
Found = tuple[int, int, Reach]  # a trigger: first word, last word (exclusive), what it does


@dataclass(slots=True)
class Context:
    """The context of one word.

    Attributes:
        ahead: The open trigger that reaches it from before, if any.
        behind: The one that reaches it from behind.
        weight: 0 a bare mention, 1 what findings point to, 2 a stated conclusion.
        elsewhere: Whether the words speak of something else than the lesion.
        skin: Whether the word describes skin ("light brown, sun-damaged skin").
    """

    ahead: Reach | None = None
    behind: Reach | None = None
    weight: int = 0
    elsewhere: bool = False
    skin: bool = False

    @property
    def polarity(self) -> Polarity:
        """Whether what the word names is asserted, denied or hedged."""
        if self.behind in (Reach.HEDGED, Reach.MAYBE):
            return "hedged"
        if self.behind is Reach.DENIED:
            return "hedged" if self.ahead is Reach.DENY else "denied"  # "neither can be excluded"
        if self.ahead in (Reach.DENY, Reach.LACK, Reach.DENY_ALL):
            return "denied"
        return "hedged" if self.ahead and self.behind is not Reach.CONCLUDED else "asserted"

    @property
    def tentative(self) -> bool:
        """Whether what is hedged is put forward ("may be X"), and is no mere rival of something else."""
        return self.behind is Reach.MAYBE or (self.ahead is Reach.MAYBE and self.behind is None)
