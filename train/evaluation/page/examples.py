"""Searches that went best and worst, with what they found."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...metrics.retrieval import mean_average_precision
from ..embedded_cases import Embedded

SHOWN, FOUND = 3, 5  # searches of each kind, and items a search shows
QUERIES = 2000  # searches looked at


@dataclass(frozen=True)
class Item:
    """A picture or a note in a search.

    Attributes:
        title: Class of its case.
        picture: The picture as a data URI; "" for a note.
        text: The note; "" for a picture.
        right: Whether it has the query's class.
    """

    title: str
    picture: str = ""
    text: str = ""
    right: bool = True


@dataclass(frozen=True)
class Example:
    """A search: its query, its average precision, and what came first."""

    query: Item
    precision: float
    found: tuple[Item, ...]


def best_and_worst(
    cases: Embedded, version: str, direction: str, classnames: Sequence[str], picture_of: Callable[[str], bytes]
) -> dict[str, list[Example]]:
    """Of each class the best and the worst search, and of these the best and the worst few.

    Args:
        cases: Held-out cases; those with a note take part.
        version: Of the notes: "masked" or "as_written".
        direction: "image_to_text" or "text_to_image".
        classnames: By class id.
        picture_of: JPEG bytes of a case id's thumbnail.

    Returns:
        By "best" and "worst"; empty lists if nothing can be searched.
    """
    noted = cases.select(cases.noted)
    if not len(noted) or version not in noted.notes:
        return {"best": [], "worst": []}
    asking = noted.image if direction == "image_to_text" else noted.notes[version]
    shown = noted.notes[version] if direction == "image_to_text" else noted.image
    rows = np.random.default_rng(0).permutation(len(noted))[:QUERIES]
    scores = mean_average_precision(asking[rows], shown, noted.labels[rows], noted.labels).average_precision
    known = np.isfinite(scores)
    rows, scores = rows[known], scores[known]

    def item(row: int, *, note: bool, label: int) -> Item:
        title, right = classnames[noted.labels[row]], bool(noted.labels[row] == label)
        if note:
            return Item(title, text=str(noted.texts[version][row]), right=right)
        return Item(title, picture=_data_uri(picture_of(str(noted.table["case_id"].iloc[row]))), right=right)

    def example(at: int) -> Example:
        row, label = int(rows[at]), int(noted.labels[rows[at]])
        order = np.argsort(-(shown @ asking[row]), kind="stable")
        found: list[Item] = []
        for other in order:
            each = item(int(other), note=direction == "image_to_text", label=label)
            if each not in found:  # one template sentence stands for hundreds of cases
                found.append(each)
            if len(found) == FOUND:
                break
        return Example(item(row, note=direction == "text_to_image", label=label), float(scores[at]), tuple(found))

    return {
        "best": [example(at) for at in _one_a_class(-scores, noted.labels[rows])],
        "worst": [example(at) for at in _one_a_class(scores, noted.labels[rows])],
    }


def _one_a_class(costs: np.ndarray, labels: np.ndarray) -> list[int]:
    """The cheapest place of each class, the `SHOWN` cheapest of these."""
    order = np.argsort(costs, kind="stable")
    _, first = np.unique(labels[order], return_index=True)
    return [int(order[at]) for at in sorted(first)[:SHOWN]]


def _data_uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
