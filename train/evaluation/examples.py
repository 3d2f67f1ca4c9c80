"""Illustrations of report.html: a two-dimensional map of the embeddings, and the best and worst searches."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence

import numpy as np

from dermnote.report.renderers import Example, Item, MapPoint
from dermnote.report.schema import DIRECTIONS

from ..metrics.retrieval import mean_average_precision
from .embedded_cases import MASKED, Embedded

SHOWN, FOUND = 3, 5  # searches of each kind, and results of a search
QUERIES = 2000  # searches compared
FEWEST, MOST = 12, 800  # cases of a map


def embedding_map(cases: Embedded) -> list[MapPoint]:
    """Return places of images, and of notes with the diagnosis masked; none where there are too few.

    At most `MOST` images are shown, with their notes.
    """
    rows = np.sort(np.random.default_rng(0).permutation(len(cases))[:MOST])
    vectors, labels = cases.image[rows], cases.labels[rows]
    is_note = np.zeros(len(rows), dtype=bool)
    if MASKED in cases.notes:
        noted = rows[cases.noted[rows]]
        vectors = np.concatenate([vectors, cases.notes[MASKED][noted]])
        labels = np.concatenate([labels, cases.labels[noted]])
        is_note = np.concatenate([is_note, np.ones(len(noted), dtype=bool)])
    if len(np.unique(vectors, axis=0)) < FEWEST:
        return []
    places = project(vectors)
    low, high = places.min(axis=0), places.max(axis=0)
    places = (places - low) / np.where(high > low, high - low, 1)
    points = zip(places.tolist(), labels.tolist(), is_note.tolist(), strict=True)
    return [MapPoint(x, y, label, note) for (x, y), label, note in points]


def project(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """Project embeddings by t-SNE (van der Maaten and Hinton 2008) with cosine distance.

    Args:
        vectors: (n, d) unit rows, at least `FEWEST` of them different.
        seed: Same seed, same map.

    Returns:
        (n, 2).
    """
    from sklearn.manifold import TSNE

    distinct, again = np.unique(vectors, axis=0, return_inverse=True)
    perplexity = min(30.0, (len(distinct) - 1) / 3)
    places = TSNE(2, perplexity=perplexity, metric="cosine", init="random", random_state=seed).fit_transform(distinct)
    return np.asarray(places[again.ravel()], dtype=np.float64)


def example_searches(
    cases: Embedded, classnames: Sequence[str], thumbnail_of: Callable[[str], bytes] | None
) -> dict[tuple[str, str], list[Example]]:
    """Return the best and worst masked searches by direction (in words) and "best" or "worst".

    Empty without images, without notes, and where all notes are the same.
    """
    if thumbnail_of is None or not cases.noted.any() or len(set(cases.texts[MASKED][cases.noted])) == 1:
        return {}
    return {
        (title, kind): examples
        for way, title in DIRECTIONS.items()
        for kind, examples in best_and_worst(cases, way, classnames, thumbnail_of).items()
    }


def best_and_worst(
    cases: Embedded, direction: str, classnames: Sequence[str], thumbnail_of: Callable[[str], bytes]
) -> dict[str, list[Example]]:
    """Return the best and the worst masked search of each class, the `SHOWN` best and worst of these.

    Args:
        cases: Held-out cases, some with a note.
        direction: "image_to_text" or "text_to_image".
        classnames: By class id.
        thumbnail_of: JPEG bytes by case id.

    Returns:
        By "best" and "worst".
    """
    noted = cases.select(cases.noted)
    to_note = direction == "image_to_text"
    query_vectors, shown = (noted.image, noted.notes[MASKED]) if to_note else (noted.notes[MASKED], noted.image)
    rows = np.random.default_rng(0).permutation(len(noted))[:QUERIES]
    scores = mean_average_precision(query_vectors[rows], shown, noted.labels[rows], noted.labels).average_precision
    known = np.isfinite(scores)
    rows, scores = rows[known], scores[known]

    def item(row: int, *, note: bool, label: int) -> Item:
        title, correct = classnames[noted.labels[row]], bool(noted.labels[row] == label)
        if note:
            return Item(title, text=str(noted.texts[MASKED][row]), correct=correct)
        jpeg = base64.b64encode(thumbnail_of(str(noted.table["case_id"].iloc[row]))).decode()
        return Item(title, image=f"data:image/jpeg;base64,{jpeg}", correct=correct)

    def example(at: int) -> Example:
        row, label = int(rows[at]), int(noted.labels[rows[at]])
        found: list[Item] = []
        for other in np.argsort(-(shown @ query_vectors[row]), kind="stable"):
            each = item(int(other), note=to_note, label=label)
            if each not in found:  # one template sentence may belong to hundreds of cases
                found.append(each)
            if len(found) == FOUND:
                break
        return Example(item(row, note=not to_note, label=label), float(scores[at]), tuple(found))

    labels = noted.labels[rows]
    return {
        "best": [example(at) for at in _first_by_class(-scores, labels)],
        "worst": [example(at) for at in _first_by_class(scores, labels)],
    }


def _first_by_class(costs: np.ndarray, labels: np.ndarray) -> list[int]:
    """Return the place of lowest cost of each class, the `SHOWN` lowest of these."""
    order = np.argsort(costs, kind="stable")
    _, first = np.unique(labels[order], return_index=True)
    return [int(order[at]) for at in sorted(first)[:SHOWN]]
