"""What the figures of one held-out set say, in plain words and no further than they carry."""

from __future__ import annotations

from collections.abc import Iterator

from dermnote.app.model.figure import Figure
from dermnote.app.model.held_out import FEW, HeldOut
from dermnote.app.model.subgroup_table import attribute, kappa_gap
from dermnote.app.model.untrusted import share, table, words
from dermnote.models.prediction import percent

GRADES = ((0.2, "little better than chance"), (0.4, "fair"), (0.6, "moderate"), (0.8, "substantial"), (1.01, "high"))
WAYS = {"image_to_text": "from a picture to notes", "text_to_image": "from a note to pictures"}
FEW_GROUPS = 100
MELANOMA = "melanoma"
DRAWN_ARE_EASY = (
    "These lesions are drawn by a program and easy to tell: none of it says how the model does on photographs."
)


def summary(held: HeldOut) -> list[str]:
    """Sentences on one set; none if nothing was measured there."""
    told = [*_classes(held), *_searches(held), *_gaps(held)]
    if told and held.drawn:
        told.insert(0, DRAWN_ARE_EASY)
    if told and held.n_groups is not None and held.n_groups < FEW_GROUPS:
        told.append(f"{held.n_groups} patients or lesions are few: with others these figures may be quite different.")
    return told


def _classes(held: HeldOut) -> Iterator[str]:
    right = share(held.classification.get("accuracy"))
    if right is not None:
        yield f"On {_pictures(held)}, the likeliest class is the recorded one for {percent(right)}. {_extremes(held)}"
    balanced, kappa = (Figure.named(held.classification, name) for name in ("balanced_accuracy", "kappa"))
    if balanced.value is not None:
        yield f"Averaged over the classes, rare ones counting as much as common ones, it is {balanced.as_share()}."
    if kappa.value is not None:
        grade = next((words for limit, words in GRADES if kappa.value < limit), GRADES[-1][1])
        yield f"Agreement with the recorded class beyond chance (kappa): {kappa}, {grade}."
    yield from _missed_melanomas(held)


def _pictures(held: HeldOut) -> str:
    pictures = "the held-out pictures" if held.n_pictures is None else f"{held.n_pictures:,} held-out pictures"
    return pictures if held.n_groups is None else f"{pictures} of {held.n_groups:,} patients or lesions"


def _extremes(held: HeldOut) -> str:
    """The classes told best and worst, of those with enough pictures to say so."""
    enough = {name: value for name, value in held.recall.items() if held.support[name] >= FEW}
    if len(enough) < 2:
        return ""
    worst, best = min(enough, key=lambda name: enough[name]), max(enough, key=lambda name: enough[name])
    return (
        f"Of the classes with {FEW} pictures or more it does best for {_of_class(held, best)}, "
        f"worst for {_of_class(held, worst)}."
    )


def _of_class(held: HeldOut, name: str) -> str:
    return f"{name} ({percent(held.recall[name])} of {held.support[name]:,})"


def _missed_melanomas(held: HeldOut) -> Iterator[str]:
    if held.confusion is None or MELANOMA not in held.classnames:
        return
    own = held.classnames.index(MELANOMA)
    there = sum(held.confusion[own])
    if there:
        missed = there - held.confusion[own][own]
        yield f"Of {there:,} pictures of a melanoma, {missed:,} are taken for something else."


def _searches(held: HeldOut) -> Iterator[str]:
    masked = table(table(held.block.get("retrieval")).get("masked"))
    judged = {way: _judged(masked.get(way)) for way in WAYS}
    if all(judged.values()) and len(set(judged.values())) == 1:
        yield f"Searches, with the diagnosis masked in the notes, find the same class {judged['image_to_text']}."
    else:
        for way, words_ in judged.items():
            if words_:
                yield f"A search {WAYS[way]}, with the diagnosis masked, finds the same class {words_}."


def _judged(way: object) -> str:
    """A search held against chance by its interval; "" if it cannot be."""
    told = table(way)
    found, chance = Figure.of(told.get("map"), told.get("ci")), share(told.get("chance"))
    if found.ends is None or chance is None:
        return ""
    if found.ends[0] > chance:
        return "more often than chance"
    return "less often than chance" if found.ends[1] < chance else "no more often than chance"


def _gaps(held: HeldOut) -> Iterator[str]:
    """Where one group is told from another."""
    apart = [
        f"by {attribute(name)}, worst for {worst}"
        for name, found in table(held.block.get("groups")).items()
        if (gap := kappa_gap(found)).ends and gap.ends[0] > 0
        if (worst := words(table(table(found).get("worst")).get("kappa")))
    ]
    if apart:
        yield f"It does not serve everybody alike. Groups lie apart {'; '.join(apart)}. See below."
