"""The ways in which a phrase bears on what stands beside it."""

from __future__ import annotations

from enum import Enum


class Reach(Enum):
    """What a phrase does to what stands beside it."""

    DENY = "denies what follows"
    LACK = "denies what follows, up to what is concluded from it"  # "absence of network favours ..."
    DENY_ALL = "denies a whole list that follows"  # "Not seen: network, dots, globules."
    HEDGE = "hedges what follows"
    MAYBE = "puts what follows forward, tentatively"
    DIFFER = "hedges a whole list that follows"
    DENIED = "denies what stands before"
    HEDGED = "hedges what stands before"
    ABSENT_AS = "denies what stands before and what follows"  # "network is lacking, as are globules"
    PREFERRED = "concludes what stands before and denies what follows"  # "is more likely than"
    POINT = "what follows is what findings point to"
    SO = 'points as well, between what is judged and its judgement: "is therefore unlikely"'
    SIGNS = "points as well, under whatever denies it"  # "no features of"
    CONCLUDE = "what follows is the conclusion"
    CONCLUDED = "what stands before is the conclusion"
    UNLIKELY = "denies its neighbour, before or after"
    POSSIBLE = "hedges its neighbour, before or after"
    LIKELIEST = "concludes with its neighbour, before or after"
    ELSEWHERE = "what follows is not the lesion's"
    STOP = "ends what was open"
    NOTHING = "looks like a negation and is none"
