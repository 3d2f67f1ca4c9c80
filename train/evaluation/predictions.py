"""What the model answered, case by case: predictions.parquet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from dermnote.storage import replacing_file

from ..metrics.calibration import softmax
from .embedded_cases import Embedded
from .retrieval_figures import Searches
from .setting import Setting

KEPT = ("case_id", "split", "source", "group")


def predictions(part: Embedded, searches: Searches, setting: Setting) -> pd.DataFrame:
    """One row a case.

    case_id, split, source, group; label_id and predicted (class ids); logits and probabilities (lists; the second after
    division by the temperature); distance to the nearest training cases; and for each version of the notes
    paired_cosine_VERSION and average_precision_VERSION_DIRECTION (held-out gallery). NaN where a thing is not measured.
    """
    p = softmax(part.logits, setting.temperature)
    table = part.table[[name for name in KEPT if name in part.table]].reset_index(drop=True)
    columns: dict[str, object] = {
        "label_id": part.labels,
        "predicted": p.argmax(axis=1),
        "logits": list(part.logits.astype(np.float32)),
        "probabilities": list(p.astype(np.float32)),
        "distance": np.full(len(part), np.nan) if part.distance is None else part.distance,
    }
    for version, vectors in part.notes.items():
        cosines = (part.image.astype(np.float64) * vectors).sum(axis=1)
        columns[f"paired_cosine_{version}"] = np.where(part.noted, cosines, np.nan)
    for version, ways in searches.items():
        for direction, each in ways.items():
            columns[f"average_precision_{version}_{direction}"] = each.result.average_precision
    return table.assign(**columns)


def write_predictions(table: pd.DataFrame, path: Path) -> None:
    """Writes aside, then renames."""
    with replacing_file(path) as aside:
        table.to_parquet(aside, index=False)
