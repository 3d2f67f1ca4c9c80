"""How far triggers reach forward: one sweep that carries what is open, and closes it where the clause ends."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from dermnote.audit.polarity_context import Context, Found
from dermnote.audit.tokens import DASH, SENTENCE_ENDS, Word, forms
from dermnote.audit.triggers import BE, DETERMINERS, SEEN
from dermnote.vocabularies.lexicon.scope import Reach

_OPENS = frozenset({Reach.DENY, Reach.LACK, Reach.DENY_ALL, Reach.HEDGE, Reach.MAYBE, Reach.DIFFER})
_DENIES = frozenset({Reach.DENY, Reach.LACK, Reach.DENY_ALL})
_WHOLE = frozenset({Reach.DENY_ALL, Reach.DIFFER})
_WEIGHT = {Reach.SIGNS: 1, Reach.SO: 1, Reach.POINT: 1, Reach.CONCLUDE: 2}
_BREAKS = frozenset({Reach.STOP, Reach.SO, Reach.POINT, Reach.CONCLUDE})  # no list goes on beyond these
_SUBJECTS = frozenset(forms("I we I'd we'd it this"))  # open a clause of their own
DEEPEST = 8  # nested brackets whose outer state is kept


@dataclass
class _Open:
    """What is open at a word."""

    reach: Reach | None = None
    weight: int = 0
    elsewhere: bool = False
    since: int = -1  # first word after the trigger
    first: bool = False  # the trigger opens its sentence
    named: bool = False  # something was named since
    comma: bool = False

    def pass_comma(self, position: int, lists: int) -> None:
        """A comma ends the reach, unless a list goes on: `lists` is 2 where an "or" follows, 1 an "and", 0 neither."""
        self.comma, self.elsewhere = True, False
        goes_on = lists == 2 or (lists == 1 and self.first)
        if self.reach not in _WHOLE and position != self.since and not goes_on:
            self.reach = None

    def meet(self, reach: Reach, end: int, first: bool) -> None:
        """Applies a trigger that ends before word `end`."""
        if reach in _OPENS:
            if self.reach is not Reach.DIFFER or reach not in (Reach.HEDGE, Reach.MAYBE):
                self.reach, self.since, self.first, self.named, self.comma = reach, end, first, False, False
        elif reach in _WEIGHT:
            if reach is not Reach.SIGNS and (self.reach is Reach.LACK or self.named or self.comma):
                self.reach = None
            self.weight = max(self.weight, _WEIGHT[reach])
            self.elsewhere = self.elsewhere and reach is not Reach.CONCLUDE
        elif reach is Reach.STOP:
            self.reach, self.weight, self.elsewhere = None, 0, False
        elif reach in (Reach.ABSENT_AS, Reach.PREFERRED):
            self.reach, self.since = Reach.DENY, end
        elif reach not in (Reach.NOTHING, Reach.ELSEWHERE):
            self.reach = None  # a clause with its own verdict behind is over


def sweep_ahead(words: Sequence[Word], found: Sequence[Found], named: Collection[int]) -> list[Context]:
    """The context of every word as far as what stands before it decides."""
    starting = {start: (end, reach) for start, end, reach in found}
    lists = _lists_go_on(words, starting)
    contexts: list[Context] = []
    state, outer, sentence = _Open(), list[_Open](), 0
    position = 0
    while position < len(words):
        end, reach = starting.get(position, (position + 1, None))
        state.elsewhere = state.elsewhere or reach is Reach.ELSEWHERE  # "an adjacent nevus": its own noun too
        for _ in range(position, end):
            contexts.append(Context(state.reach, None, state.weight, state.elsewhere))
        if reach is Reach.POINT and position and words[position - 1].form == "to":
            reach = Reach.SIGNS  # "no nests to support X"
        if reach is not None:
            state.meet(reach, end, position <= sentence + 2)
        elif (form := words[position].form) in SENTENCE_ENDS:
            state, outer, sentence = _Open(), [], position + 1
            _ask(words, position, state)
        elif form == "(":
            outer = [*outer, replace(state)] if len(outer) < DEEPEST else outer
        elif form == ")":
            state = outer.pop() if outer else state
        else:
            _step(words, position, state, lists[position])
        state.named = state.named or position in named
        position = end
    return contexts


def _step(words: Sequence[Word], position: int, state: _Open, lists: int) -> None:
    form = words[position].form
    following = words[position + 1].form if position + 1 < len(words) else ""
    if form == "," and following in _SUBJECTS:
        state.reach = None
    elif form in (",", DASH):
        state.pass_comma(position, lists if form == "," else 0)
    elif form == ":":
        state.reach = state.reach if position == state.since else None
    elif form == "and" and following in DETERMINERS:
        state.reach, state.weight, state.elsewhere = None, 0, False
    elif state.reach in _DENIES and form in SEEN:
        state.reach = None if state.named or words[position - 1].form in BE else state.reach
    elif state.reach in _DENIES and form == "with" and state.named:
        state.reach = None
    elif form == ">" and state.named:  # "BCC > SCC": a ranking
        state.reach, state.since = Reach.HEDGE, position + 1
    elif form in ("over", "than") and state.named:  # "a nevus over melanoma", "more like X than Y", "less so than Y"
        state.reach = None if state.reach else Reach.DENY if state.weight else None
        state.since, state.named = position + 1, False


def _ask(words: Sequence[Word], position: int, state: _Open) -> None:
    """A question mark that touches the next word asks for it: "?melanoma"."""
    touching = position + 1 < len(words) and words[position + 1].start == words[position].end
    if words[position].form == "?" and touching:
        state.reach, state.since = Reach.MAYBE, position + 1


def _lists_go_on(words: Sequence[Word], starting: dict[int, tuple[int, Reach]]) -> list[int]:
    """For every word, whether its clause still holds an "or" (2) or an "and" (1) that joins a list."""
    lists, going_on = [0] * len(words), 0
    for position in range(len(words) - 1, -1, -1):
        form = words[position].form
        following = words[position + 1].form if position + 1 < len(words) else ""
        broken = position in starting and starting[position][1] in _BREAKS
        if form in SENTENCE_ENDS or form == ":" or broken:
            going_on = 0
        elif form in ("or", "nor"):
            going_on = 2
        elif form == "and":
            going_on = 0 if following in DETERMINERS else max(going_on, 1)
        elif form == "," and following in DETERMINERS:
            going_on = 0
        lists[position] = going_on
    return lists
