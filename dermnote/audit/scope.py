"""Scope of trigger phrases: how far one that denies, hedges or concludes reaches forward and backward, token by token.

The forward sweep carries the open trigger and closes it at the end of the clause; the backward search runs to the
clause's start, and over the commas of a list ("X, Y or Z is excluded").
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal

from dermnote.audit.tokens import DASH, SENTENCE_ENDS, Tokens, form_set

Polarity = Literal["asserted", "denied", "hedged"]


class Effect(Enum):
    """Effect of a trigger phrase on its neighbours."""

    DENY = "denies what follows"
    LACK = "denies what follows, up to what is concluded from it"  # "absence of network favours ..."
    DENY_ALL = "denies a whole list that follows"  # "Not seen: network, dots, globules."
    HEDGE = "hedges what follows"
    MAYBE = "puts what follows forward, tentatively"
    DIFFER = "hedges a whole list that follows"
    DENIED = "denies what precedes"
    HEDGED = "hedges what precedes"
    ABSENT_AS = "denies what precedes and what follows"  # "network is lacking, as are globules"
    PREFERRED = "concludes what precedes and denies what follows"  # "is more likely than"
    POINT = "what follows is what findings point to"
    SO = 'points as well, between subject and verdict: "is therefore unlikely"'
    SIGNS = "points as well, subject to any denial before it"  # "no features of"
    CONCLUDE = "what follows is the conclusion"
    CONCLUDED = "what precedes is the conclusion"
    UNLIKELY = "denies its neighbour, before or after"
    POSSIBLE = "hedges its neighbour, before or after"
    LIKELIEST = "concludes with its neighbour, before or after"
    ELSEWHERE = "what follows is not the lesion's"
    STOP = "ends what was open"
    NOTHING = "resembles a negation and is none"


Trigger = tuple[int, int, Effect]  # first token, last token (exclusive), effect

# Behind what "no" denies, these end its scope: "no network is seen and ...".
_SEEN = form_set(
    "seen visible present evident identified noted found detected recognised appreciated observed apparent"
)
# Ends the scope of what precedes when it opens a clause after "and": "no streaks, and the border is sharp".
DETERMINERS = form_set("a an the there it its this these some few several many numerous multiple prominent occasional")
BE = form_set("is are was were be been being has have had")
FINITE = BE | form_set("show shows seen present visible noted identified contains contain forms mean means that which")
_DENIES = frozenset({Effect.DENY, Effect.LACK, Effect.DENY_ALL})
_OPENS = _DENIES | {Effect.HEDGE, Effect.MAYBE, Effect.DIFFER}
_WHOLE_LIST = frozenset({Effect.DENY_ALL, Effect.DIFFER})
_WEIGHT = {Effect.SIGNS: 1, Effect.SO: 1, Effect.POINT: 1, Effect.CONCLUDE: 2}
_ENDS_LIST = frozenset({Effect.STOP, Effect.SO, Effect.POINT, Effect.CONCLUDE})
_SUBJECTS = form_set("I we I'd we'd it this")  # open a clause of their own
_MAX_BRACKETS = 8  # nested brackets whose outer state is kept
# Backward effect of each trigger.
_BACKWARD = {
    **{effect: effect for effect in (Effect.DENIED, Effect.HEDGED, Effect.CONCLUDED)},
    Effect.ABSENT_AS: Effect.DENIED,
    Effect.PREFERRED: Effect.CONCLUDED,
}
_BARRIERS = frozenset({*_BACKWARD, Effect.STOP, Effect.POINT, Effect.CONCLUDE})
_MAX_BACKWARD = 40  # tokens a trigger may reach back; keeps the time linear
_BEFORE_AND = 12  # tokens searched to tell a list's last comma from a new clause
_SKIN_ADJECTIVES = 5  # tokens before "skin" that may describe it
_SKIN_STOPS = FINITE | form_set("the a an of in into with on against to and by from over . ; : ( ) ! ? lesion")


@dataclass(slots=True)
class Context:
    """The context of one token.

    Attributes:
        forward: The open trigger that reaches it from before, if any.
        backward: The one that reaches it from behind.
        weight: 0 a bare mention, 1 what findings point to, 2 a stated conclusion.
        elsewhere: Whether the text describes something else than the lesion.
        skin: Whether the token describes skin ("light brown, sun-damaged skin").
    """

    forward: Effect | None = None
    backward: Effect | None = None
    weight: int = 0
    elsewhere: bool = False
    skin: bool = False

    @property
    def polarity(self) -> Polarity:
        """True if a name at this token is asserted, denied or hedged."""
        if self.backward in (Effect.HEDGED, Effect.MAYBE):
            return "hedged"
        if self.backward is Effect.DENIED:
            return "hedged" if self.forward is Effect.DENY else "denied"  # "neither can be excluded"
        if self.forward in _DENIES:
            return "denied"
        return "hedged" if self.forward and self.backward is not Effect.CONCLUDED else "asserted"

    @property
    def tentative(self) -> bool:
        """True if a hedged name is put forward ("may be X"), rather than a mere alternative."""
        return self.backward is Effect.MAYBE or (self.forward is Effect.MAYBE and self.backward is None)


Contexts = Sequence[Context]


@dataclass
class _OpenScope:
    """State of the forward sweep at a token."""

    effect: Effect | None = None
    weight: int = 0
    elsewhere: bool = False
    since: int = -1  # first token after the trigger
    first: bool = False  # the trigger opens its sentence
    named: bool = False  # a finding or diagnosis was named since
    comma: bool = False

    def pass_comma(self, position: int, joined: int) -> None:
        """End the scope at a comma, unless a list continues: `joined` is as in `_list_joints`."""
        self.comma, self.elsewhere = True, False
        continues = joined == 2 or (joined == 1 and self.first)
        if self.effect not in _WHOLE_LIST and position != self.since and not continues:
            self.effect = None

    def apply(self, effect: Effect, end: int, first: bool) -> None:
        """Apply a trigger that ends before token `end`."""
        if effect in _OPENS:
            if self.effect is not Effect.DIFFER or effect not in (Effect.HEDGE, Effect.MAYBE):
                self.effect, self.since, self.first, self.named, self.comma = effect, end, first, False, False
        elif effect in _WEIGHT:
            if effect is not Effect.SIGNS and (self.effect is Effect.LACK or self.named or self.comma):
                self.effect = None
            self.weight = max(self.weight, _WEIGHT[effect])
            self.elsewhere = self.elsewhere and effect is not Effect.CONCLUDE
        elif effect is Effect.STOP:
            self.effect, self.weight, self.elsewhere = None, 0, False
        elif effect in (Effect.ABSENT_AS, Effect.PREFERRED):
            self.effect, self.since = Effect.DENY, end
        elif effect not in (Effect.NOTHING, Effect.ELSEWHERE):
            self.effect = None  # a clause whose verdict follows it is over


def forward_scope(tokens: Tokens, triggers: Sequence[Trigger], named: Collection[int]) -> list[Context]:
    """Return the context of every token as far as the preceding triggers decide."""
    starting = {start: (end, effect) for start, end, effect in triggers}
    joined = _list_joints(tokens, starting)
    contexts: list[Context] = []
    state, outer, sentence = _OpenScope(), list[_OpenScope](), 0
    position = 0
    while position < len(tokens):
        end, effect = starting.get(position, (position + 1, None))
        state.elsewhere = state.elsewhere or effect is Effect.ELSEWHERE  # "an adjacent nevus": its own noun too
        for _ in range(position, end):
            contexts.append(Context(state.effect, None, state.weight, state.elsewhere))
        if effect is Effect.POINT and position and tokens[position - 1].form == "to":
            effect = Effect.SIGNS  # "no nests to support X"
        if effect is not None:
            state.apply(effect, end, position <= sentence + 2)
        elif (form := tokens[position].form) in SENTENCE_ENDS:
            state, outer, sentence = _OpenScope(), [], position + 1
            if form == "?" and position + 1 < len(tokens) and tokens[position + 1].start == tokens[position].end:
                state.effect, state.since = Effect.MAYBE, position + 1  # "?melanoma"
        elif form == "(":
            outer = [*outer, replace(state)] if len(outer) < _MAX_BRACKETS else outer
        elif form == ")":
            state = outer.pop() if outer else state
        else:
            _pass_token(tokens, position, state, joined[position])
        state.named = state.named or position in named
        position = end
    return contexts


def _pass_token(tokens: Tokens, position: int, state: _OpenScope, joined: int) -> None:
    form = tokens[position].form
    following = tokens[position + 1].form if position + 1 < len(tokens) else ""
    if form == "," and following in _SUBJECTS:
        state.effect = None
    elif form in (",", DASH):
        state.pass_comma(position, joined if form == "," else 0)
    elif form == ":":
        state.effect = state.effect if position == state.since else None
    elif form == "and" and following in DETERMINERS:
        state.effect, state.weight, state.elsewhere = None, 0, False
    elif state.effect in _DENIES and form in _SEEN:
        state.effect = None if state.named or tokens[position - 1].form in BE else state.effect
    elif state.effect in _DENIES and form == "with" and state.named:
        state.effect = None
    elif form == ">" and state.named:  # "BCC > SCC": a ranking
        state.effect, state.since = Effect.HEDGE, position + 1
    elif form in ("over", "than") and state.named:  # "a nevus over melanoma", "more like X than Y", "less so than Y"
        state.effect = None if state.effect else Effect.DENY if state.weight else None
        state.since, state.named = position + 1, False


def _list_joints(tokens: Tokens, starting: dict[int, tuple[int, Effect]]) -> list[int]:
    """Return for every token whether its clause still holds an "or" (2) or an "and" (1) that joins a list, else 0."""
    joints, joint = [0] * len(tokens), 0
    for position in range(len(tokens) - 1, -1, -1):
        form = tokens[position].form
        following = tokens[position + 1].form if position + 1 < len(tokens) else ""
        broken = position in starting and starting[position][1] in _ENDS_LIST
        if form in SENTENCE_ENDS or form == ":" or broken:
            joint = 0
        elif form in ("or", "nor"):
            joint = 2
        elif form == "and":
            joint = 0 if following in DETERMINERS else max(joint, 1)
        elif form == "," and following in DETERMINERS:
            joint = 0
        joints[position] = joint
    return joints


def add_backward_scope(tokens: Tokens, contexts: Contexts, triggers: Sequence[Trigger], named: Collection[int]) -> None:
    """Add to the contexts the effects of triggers behind them, and mark the adjectives of "skin"."""
    barriers = {position for start, end, effect in triggers if effect in _BARRIERS for position in range(start, end)}
    for start, _, effect in triggers:
        if effect in _BACKWARD:
            _reach_back(tokens, contexts, start, _BACKWARD[effect], barriers, named)
    inside = {position for start, end, _ in triggers for position in range(start, end)}
    for position, token in enumerate(tokens):
        if token.form == "?" and (position + 1 == len(tokens) or tokens[position + 1].start > token.end):
            _reach_back(tokens, contexts, position, Effect.MAYBE, barriers, named)
        elif token.form == "skin" and position not in inside:
            _mark_skin(tokens, contexts, position)


def _reach_back(
    tokens: Tokens,
    contexts: Contexts,
    start: int,
    effect: Effect,
    barriers: Collection[int],
    named: Collection[int],
) -> None:
    passed = joined = False  # a name was passed; a conjunction was, so commas separate a list
    for position in range(start - 1, max(-1, start - _MAX_BACKWARD - 1), -1):
        form = tokens[position].form
        if position in barriers or form in SENTENCE_ENDS:
            return
        if not passed and form == "and" and tokens[position + 1].form in DETERMINERS:
            return  # "X, and the lesion is considered ...": a clause of its own
        if passed and (form in FINITE or form in (":", DASH) or (form == "with" and _parts(tokens, position, effect))):
            return
        if form == "," and passed:
            following = tokens[position + 1].form
            if following == "and" and not _ends_list(tokens, position, barriers):
                return
            if following not in ("and", "or", "nor") and not joined:
                return
        joined = joined or (form in ("and", "or", "nor", "/") if passed else form in (")", ":"))
        passed = passed or position in named
        contexts[position].backward = contexts[position].backward or effect


def _parts(tokens: Tokens, position: int, effect: Effect) -> bool:
    """Return whether a "with" separates the subject from what precedes: "favours X, with Y as the alternative"."""
    return effect is Effect.DENIED or (position > 0 and tokens[position - 1].form == ",")


def _ends_list(tokens: Tokens, comma: int, barriers: Collection[int]) -> bool:
    """Return whether a comma before "and" is a list's last: before any verb comes another comma or the start."""
    for position in range(comma - 1, max(-1, comma - _BEFORE_AND), -1):
        form = tokens[position].form
        if position in barriers or form in FINITE:
            return False
        if form == "," or form in SENTENCE_ENDS:
            return True
    return comma < _BEFORE_AND


def _mark_skin(tokens: Tokens, contexts: Contexts, skin: int) -> None:
    """Mark the adjectives of "skin": they do not describe the lesion."""
    for position in range(skin - 1, max(-1, skin - _SKIN_ADJECTIVES - 1), -1):
        if tokens[position].form in _SKIN_STOPS:
            return
        contexts[position].skin = True
