"""Plain-language sentences on metrics.json that claim no more than the intervals allow."""

from __future__ import annotations

from collections.abc import Iterator

from dermnote.models.prediction import percent
from dermnote.report.checked_json import Figure
from dermnote.report.schema import DIRECTIONS, Block, Metrics, Search
from dermnote.report.tables import FEW, attribute_title

GRADES = ((0.2, "little better than chance"), (0.4, "fair"), (0.6, "moderate"), (0.8, "substantial"), (1.01, "high"))
FEW_GROUPS = 100
MELANOMA = "melanoma"


def summary(block: Block) -> list[str]:
    """Return sentences on one block; none if nothing was measured there."""
    found = [*_classification(block), *_retrieval(block), *_gaps(block)]
    if found and block.drawn:
        found.insert(
            0, "These lesions are drawn by a program and easy to classify: no figure here applies to photographs."
        )
    if found and block.n_groups is not None and block.n_groups < FEW_GROUPS:
        found.append(f"{block.n_groups} patients or lesions are few: with others these figures may differ a lot.")
    return found


def as_share(figure: Figure) -> str:
    """Return a figure as a percentage with its interval."""
    if figure.value is None:
        return "–"
    interval = f" (95% interval {percent(figure.ci[0])} to {percent(figure.ci[1])})" if figure.ci else ""
    return percent(figure.value) + interval


def _classification(block: Block) -> Iterator[str]:
    found = block.classification
    if found.accuracy.value is not None:
        images = "the held-out images" if block.n_cases is None else f"{block.n_cases:,} held-out images"
        images += "" if block.n_groups is None else f" of {block.n_groups:,} patients or lesions"
        right = percent(found.accuracy.value)
        yield f"On {images}, the likeliest class is the recorded one for {right}.{_extremes(block)}"
    if found.balanced_accuracy.value is not None:
        yield f"Averaged over the classes, rare and common ones alike, it is {as_share(found.balanced_accuracy)}."
    if found.kappa.value is not None:
        grade = next((words for limit, words in GRADES if found.kappa.value < limit), GRADES[-1][1])
        yield f"Agreement with the recorded class beyond chance (kappa): {found.kappa.text(2)}, {grade}."
    yield from _melanoma(block)
    if found.ece.value is not None:
        yield f"Its probabilities are off by {found.ece.value:.2f} on average (calibration error; 0 is perfect)."


def _extremes(block: Block) -> str:
    """Return the classes with the best and the worst recall, of those with enough cases."""
    enough = {name: found for name, found in block.recall.items() if found[1] >= FEW}
    if len(enough) < 2:
        return ""
    worst, best = (
        f"{name} ({percent(enough[name][0])} of {enough[name][1]:,})"
        for name in (min(enough, key=lambda name: enough[name][0]), max(enough, key=lambda name: enough[name][0]))
    )
    return f" Of the classes with {FEW} images or more, recall is best for {best}, worst for {worst}."


def _melanoma(block: Block) -> Iterator[str]:
    if block.confusion and MELANOMA in block.classnames:
        own = block.classnames.index(MELANOMA)
        there = sum(block.confusion[own])
        if there:
            missed = there - block.confusion[own][own]
            yield f"Of {there:,} images of a melanoma, {missed:,} are classified as another class."
    auroc = block.classification.melanoma_vs_nevus_auroc
    if auroc.value is not None:
        yield f"Given a melanoma and a nevus, it finds the melanoma the likelier one with probability {auroc.text(2)}."


def _retrieval(block: Block) -> Iterator[str]:
    for way, title in DIRECTIONS.items() if block.retrieval else ():
        each = block.retrieval.search("masked", way) if block.retrieval else Search.read(None)
        if each.map.value is not None:
            chance = "" if each.chance.value is None else f"; chance is {each.chance.value:.2f}"
            judged = versus_chance(each)
            yield (
                f"Search from {title}, diagnosis masked: mean average precision {each.map.text(2)}{chance}"
                f"{f', so it is {judged}' if judged else ''}."
            )


def versus_chance(search: Search) -> str:
    """Return the comparison of a search with chance by its interval; "" if there is none."""
    ci, chance = search.map.ci, search.chance.value
    if ci is None or chance is None:
        return ""
    if ci[0] > chance:
        return "above chance"
    return "below chance" if ci[1] < chance else "not distinguishable from chance"


def _gaps(block: Block) -> Iterator[str]:
    """Yield a sentence for each gap between groups whose interval excludes 0."""
    for name, attribute in block.groups.items():
        gap = attribute.gap.get("kappa")
        worst = attribute.worst.get("kappa")
        if gap and worst and gap.value.ci and gap.value.ci[0] > 0:
            yield f"By {attribute_title(name)} it does worst for {worst}: kappa {gap.value.text(2)} below the best."


def gap_sentence(block: Block, name: str) -> str:
    """Return the kappa of the worst group of an attribute compared with the best."""
    attribute = block.groups[name]
    gap, worst, best = attribute.gap.get("kappa"), attribute.worst.get("kappa"), attribute.best.get("kappa")
    if gap is None or gap.value.value is None or not worst or not best:
        return "Too few images to compare."
    sure = "" if gap.value.ci and gap.value.ci[0] > 0 else " This may be chance."
    return f"Worst for {worst}: kappa {gap.value.text(2)} below {best}.{sure}"


def known_sources_warning(metrics: Metrics) -> str:
    """Return a warning about a published model measured on sources it was trained on; "" if there is none."""
    if not metrics.published.trained_on_too:
        return ""
    seen = ", ".join(metrics.published.trained_on_too)
    return (
        f"The model was trained on {seen} too: some of these cases may be known to it, whatever split they have here."
    )


def about_notes(metrics: Metrics, version: str) -> str:
    """Return how many notes were searched, and how to read the figures with this version of them."""
    counted = [block.retrieval for block in metrics.separate_blocks if block.retrieval]
    n = sum(each.n_queries or 0 for each in counted)
    distinct = sum(each.distinct_notes.get(version, 0) for each in counted)
    without = sum(each.without_note or 0 for each in counted)
    text = f"Notes of strategy {metrics.strategy}: {n}, in {distinct} different text{'' if distinct == 1 else 's'}"
    text += f"; {without} cases without such a note are left out." if without else "."
    if version == "as_written":
        return f"{text} These notes may name the class that makes an item relevant, so a high figure is nearly given."
    text += (
        " Class names, subtypes and words for malignancy are masked: the figure measures what the findings are worth."
    )
    if metrics.strategy == "m" and any(
        each.distinct_notes.get(version, 0) * 10 <= (each.n_queries or 0) for each in counted
    ):
        text += " Template notes without findings state nothing but the diagnosis: they are at chance by construction."
    return text


def method(metrics: Metrics) -> list[str]:
    """Return how the figures were measured."""
    bootstrap = metrics.bootstrap
    lines = [
        f"Intervals: 95%, bootstrap over patients or lesions ({bootstrap.n_boot} draws, seed {bootstrap.seed}); none"
        " with fewer than five of them.",
        "Retrieval: the gallery is the noted cases of the same split; relevant is what has the query's class; average"
        " precision is the mean precision at the relevant ranks, ties at their expected value; chance is the score of"
        " the same rankings when the classes of the queries are shuffled.",
        "Classification uses the image alone. Photographs and drawn lesions are never pooled: each are searched among"
        " their own kind.",
        "Kappa is unweighted; the linear weights of the second column are those of arXiv 2511.21827.",
        f"Cases: {metrics.cases}; notes: {metrics.notes or 'none'}"
        f"{f', strategy {metrics.strategy}' if metrics.strategy else ''}; {metrics.left_out or 0} cases of classes the"
        " model does not know are left out.",
        f"Training seed {'unknown' if metrics.seed is None else metrics.seed}; device {metrics.device};"
        f" {', '.join(f'{name} {version}' for name, version in metrics.versions.items())}.",
    ]
    if metrics.published.revision:
        lines.insert(0, f"The model is that of commit {metrics.published.revision}.")
    return lines
