"""The rows of the tables: which held-out cases a figure speaks of."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..evaluation.setting import DRAWN

MODALITIES = {"dermoscopy": "dermoscopic", "clinical": "clinical"}


def rows_of(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """By name, which cases belong to a row: all, by modality, by source.

    Drawn lesions are easy: they have a row of their own and are never pooled with photographs.

    Args:
        table: n held-out cases (source, modality, split).
    """
    rows: dict[str, np.ndarray] = {}
    several = table["split"].nunique() > 1
    for split in ("test", "external"):
        here = (table["split"] == split).to_numpy()
        if here.any():
            found = _of_split(table, here)
            rows |= {f"{split}, {name}": mask for name, mask in found.items()} if several else found
    return rows


def _of_split(table: pd.DataFrame, here: np.ndarray) -> dict[str, np.ndarray]:
    drawn = here & (table["source"] == DRAWN).to_numpy()
    photographs = here & ~drawn
    rows = {"all": photographs if photographs.any() else drawn}
    kinds = table.loc[photographs, "modality"].unique()
    if len(kinds) > 1:
        for modality, name in MODALITIES.items():
            rows[name] = photographs & (table["modality"] == modality).to_numpy()
    sources = sorted(table.loc[here, "source"].unique())
    if len(sources) > 1:
        rows |= {name: here & (table["source"] == name).to_numpy() for name in sources}
    return rows
