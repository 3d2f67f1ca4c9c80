"""Hallucination study: relative losses, and the outcome stated in its report."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from train.comparison.hallucination import (
    LESS,
    MORE,
    claim_outcome,
    loss_verdict,
    mean_and_interval,
    relative_losses,
    write_study_page,
)

UNCLEAR, FEW = "no significant difference from classification", "unknown (too few seeds)"


def point(measure: str, rate: float, values: list[float], chance: float = 0.0) -> dict[str, Any]:
    point = {"kind": "p3", "rate": rate, "measure": measure, "seeds": [0, 1, 2], "by_seed": values}
    return point | {"chance_by_seed": [chance] * 3}


def test_relative_losses_are_of_the_margin_above_chance() -> None:
    masked = "map:clean:masked:text_to_image"
    points = [
        *(point("kappa", 0.0, [0.8, 0.8, 0.8]), point("kappa", 0.8, [0.72, 0.72, 0.64])),
        *(point(masked, 0.0, [0.5, 0.5, 0.6], 0.1), point(masked, 0.8, [0.3, 0.2, 0.2], 0.1)),
    ]
    losses = {each["measure"]: each for each in relative_losses(points, "p3", 0.0, 0.8)}
    assert set(losses) == {"kappa", masked}
    assert losses["kappa"]["loss"]["mean"] == pytest.approx(np.mean([0.1, 0.1, 0.2]))
    assert losses[masked]["loss"]["mean"] == pytest.approx(np.mean([0.5, 0.75, 0.8]))
    more, expected = losses[masked]["more_than_kappa"], np.array([0.4, 0.65, 0.6])
    ends = stats.t.interval(0.95, 2, expected.mean(), stats.sem(expected))
    assert more["mean"] == pytest.approx(expected.mean()) and more["ci"] == pytest.approx(ends)
    assert loss_verdict(more) == MORE and loss_verdict({**more, "ci": [-0.3, -0.1]}) == LESS
    assert loss_verdict({**more, "ci": [-0.1, 0.3]}) == UNCLEAR
    assert loss_verdict({**more, "ci": None}) == loss_verdict({"mean": None, "ci": None}) == FEW
    assert mean_and_interval([0.3]) == {"mean": 0.3, "ci": None, "n": 1}
    assert relative_losses(points[:1], "p3", 0.0, 0.8) == []


def test_the_report_states_the_outcome_of_the_claim() -> None:
    masked = "cosine:corrupted:masked"
    points = [
        *(point("kappa", 0.0, [0.8, 0.8, 0.8]), point("kappa", 0.8, [0.8, 0.79, 0.8])),
        *(point(masked, 0.0, [0.5, 0.5, 0.5], 0.1), point(masked, 0.8, [0.3, 0.31, 0.3], 0.1)),
    ]
    losses = relative_losses(points, "p3", 0.0, 0.8)
    results = {
        **{"kinds": ["p3"], "rates": [0.0, 0.8], "seeds": [0, 1, 2], "drawn": 10, "held_out": 5, "n_cases": 5},
        **{"device": "cpu", "command": "python -m train.compare", "versions": {}, "left_out": [], "points": points},
        **{"image_only": {"by_seed": [0.7, 0.71, 0.72]}, "losses": losses},
    }
    page = write_study_page(results, {})
    assert "p3, from 0% to 80% wrong, loses: kappa 0% [-1, 2] of its value; diagnosis masked, retrieval and" in page
    assert "| image-only, no notes | 0.710 [0.700, 0.720] |" in page and "0.303 [0.300, 0.310] (0.100)" in page
    assert (
        "**On drawn lesions, diagnosis masked, it held here**: of 1 measures" in page and "as written, it" not in page
    )
    for verdicts, outcome in (
        ([MORE, MORE], "it held here"),
        ([MORE, UNCLEAR], "it held in part"),
        ([UNCLEAR, LESS], "it did not hold here"),
        ([MORE, LESS], "both directions"),
        ([UNCLEAR, FEW], "leave it open"),
    ):
        assert outcome in claim_outcome(verdicts)["outcome"]
