"""Figures, paired differences, tables and plots of runs with known results, and the study of wrong notes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score

from train.comparison.hallucination import (
    LESS,
    MORE,
    claim_outcome,
    loss_verdict,
    mean_and_interval,
    relative_losses,
    write_study_page,
)
from train.comparison.plan import GridPlan, Partition, Recipe, expand_grid
from train.comparison.plots import draw_grid
from train.comparison.report import write_grid_page
from train.comparison.results import (
    CLASSIFICATION,
    KAPPA,
    UNCLEAR,
    UNKNOWN,
    CellRuns,
    difference,
    figures_of,
    grid_results,
    retrieval_measures,
    rows_of,
    verdict_of,
)

N, CLASSES = 120, 3
SMOKE = Path(__file__).resolve().parents[2] / "train" / "configs" / "smoke.yaml"


def runs(
    accuracy: float, *, queries: tuple[str, ...] = (), seeds: tuple[int, ...] = (0, 1, 2), quality: float = 0.5
) -> CellRuns:
    """Runs with this accuracy, and average precision and cosine around `quality`."""
    tables, facts = {}, {}
    for seed in seeds:
        rng = np.random.default_rng([seed, 7])
        labels = np.arange(N) % CLASSES
        predicted = np.where(rng.permutation(N) < accuracy * N, labels, (labels + 1) % CLASSES)
        table = pd.DataFrame(
            {
                "case_id": [f"x/{i:03d}" for i in range(N)],
                "source": ["a" if i % 2 else "b" for i in range(N)],
                "modality": ["clinical" if i % 4 < 2 else "dermoscopy" for i in range(N)],
                "split": "test",
                "group": [f"g{i // 2}" for i in range(N)],
                "class_id": labels,
                **{f"logit:{c}": (predicted == c).astype(float) for c in range(CLASSES)},
            }
        )
        for measure in (each for name in queries for each in retrieval_measures(name)):
            table[measure.replace("map", "ap")] = np.clip(rng.normal(quality, 0.1, N), 0, 1)
        rows = {row: {"image_to_text": 0.3, "text_to_image": 0.3, "random_pairs": 0.1} for row in rows_of(table)}
        facts[seed] = {"device": "cpu", "queries": {name: {"masked": rows, "as_written": rows} for name in queries}}
        tables[seed] = table
    return CellRuns(tables, facts)


def test_rows_are_all_modalities_and_sources_without_drawn_lesions() -> None:
    table = runs(1.0).table
    assert list(rows_of(table)) == ["all", "dermoscopic", "clinical", "a", "b"]
    rows = rows_of(table.assign(source=["drawn" if i % 2 else "b" for i in range(N)]))
    assert rows["all"].sum() == N / 2 and not (rows["all"] & rows["drawn"]).any()
    two_splits = table.assign(split=["external" if i % 3 else "test" for i in range(N)])
    assert {"test, all", "external, all", "external, clinical"} <= set(rows_of(two_splits))


def test_figures_equal_those_of_scikit_learn_and_have_an_interval() -> None:
    found = runs(0.7, queries=("m",))
    measures = [*CLASSIFICATION, *retrieval_measures("m")]
    figures = figures_of(found, "clinical", measures, n_boot=200)
    by_key = dict(zip(measures, figures, strict=True))
    parts = [table[found.rows["clinical"]] for table in found.tables.values()]
    labels = [(part["class_id"], part.filter(like="logit").to_numpy().argmax(axis=1)) for part in parts]
    kappa = by_key["kappa"]
    assert kappa["by_seed"] == pytest.approx([cohen_kappa_score(*each) for each in labels])
    assert kappa["mean"] == pytest.approx(np.mean(kappa["by_seed"])) and kappa["chance"] is None
    assert kappa["ci"][0] < kappa["mean"] < kappa["ci"][1]
    recalls = [balanced_accuracy_score(*each) for each in labels]
    assert by_key["balanced_accuracy"]["by_seed"] == pytest.approx(recalls)
    retrieval = by_key["map:m:masked:image_to_text"]
    assert retrieval["by_seed"] == pytest.approx([part["ap:m:masked:image_to_text"].mean() for part in parts])
    assert retrieval["chance"] == pytest.approx(0.3)


def compare(first: CellRuns, second: CellRuns) -> dict[str, Any] | None:
    return difference(first, second, "all", (KAPPA, KAPPA), ("m", "image-only"), n_boot=300)


def test_differences_need_an_interval_and_seeds_that_agree() -> None:
    better = compare(runs(0.9), runs(0.5))
    assert better["verdict"] == "higher" and better["value"] == pytest.approx(np.mean(better["by_seed"]))
    assert compare(runs(0.5), runs(0.9))["verdict"] == "lower"
    same = compare(runs(0.7), runs(0.7))
    assert same["verdict"] == UNCLEAR and same["value"] == 0.0
    assert verdict_of(0.3, (0.1, 0.5), (0.4, 0.5, -0.01)) == UNCLEAR
    assert verdict_of(0.3, (-0.1, 0.5), (0.4, 0.3, 0.2)) == UNCLEAR
    assert verdict_of(0.3, None, (0.4, 0.3, 0.2)) == UNKNOWN


def test_differences_are_over_shared_seeds_and_identical_cases() -> None:
    found, fewer = compare(runs(0.9), runs(0.5)), compare(runs(0.9), runs(0.5, seeds=(2, 1)))
    assert fewer["by_seed"] == found["by_seed"][1:]
    assert compare(runs(0.9), runs(0.5, seeds=(7,))) is None
    other = runs(0.9)
    renamed = {seed: table.assign(case_id=table["case_id"] + "?") for seed, table in other.tables.items()}
    assert compare(runs(0.5), CellRuns(renamed, other.facts)) is None


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    cells = {
        "image-only": Recipe(multimodal=False),
        "m": Recipe(against="image-only"),
        "p3": Recipe(strategies=("p3",), against="image-only"),
        "m-ce-only": Recipe(against="m", about="cross-entropy alone"),
        "m-queried": Recipe(queries=("m", "p3"), partitions=("llm",)),
    }
    plan = GridPlan(
        base=str(SMOKE), cells=cells, partitions={"internal": Partition(title="internal"), "llm": Partition()}
    )
    found = {
        "internal/image-only": runs(0.5),
        "internal/m": runs(0.9, queries=("m",)),
        "internal/m-ce-only": runs(0.9, queries=("m",), quality=0.31),
        "llm/m-queried": runs(0.6, queries=("m", "p3"), seeds=(0,)),
    }
    reason = "Only 3 of 90 training cases have a note of p3."
    return {
        **{"command": "python -m train.compare --config x", "cases": "cases", "notes": "notes.jsonl"},
        **{"query_notes": None, "seeds": [0, 1, 2], "device": "cpu", "bootstrap": 100, "versions": {"torch": "2"}},
        **{"told": ["One line."], "left_out": [{"name": "internal/p3", "reason": reason}]},
        **grid_results(plan, expand_grid(plan), found, n_boot=20),
    }


def section(page: str, title: str) -> str:
    return page.split(f"## {title}")[1].split("\n## ")[0]


def test_tables_have_the_papers_shape_with_its_figures_in_their_own_columns(results: dict[str, Any]) -> None:
    page = write_grid_page(json.loads(json.dumps(results)), {"kappa.png": "Kappa"})
    kappa = section(page, "Table 2")
    header, _, first = ([cell.strip() for cell in line.split("|")[1:-1]] for line in kappa.splitlines()[2:5])
    assert header == [
        *("partition, data", "cases / groups", "Img", "M", "M+P1", "M+P2", "P3", "mix"),
        *("Img (paper)", "M+P2 (paper)", "P3 (paper)"),
    ]
    assert first[:2] == ["internal, all", "120 / 60"] and first[4] == "–" and first[6] == "left out"
    assert first[3].startswith("0.850 [") and first[8:] == ["–"] * 3
    assert "| paper: SKINL2, external |" in kappa and "| 0.686 | 0.743 | ? |" in kappa
    masked, written = section(page, "Table 3").split("### As written")
    assert "0.787" in written and "0.787" not in masked and "(0.300)" in masked
    assert "0.689 to 0.797" in section(page, "Table 5")
    for title in ("Table 2", "Table 3", "Table 4", "Table 5", "Against image-only", "Losses", "Strategies as queries"):
        caption = section(page, title)
        assert all(part in caption for part in ("train.compare --config x", "device cpu", "seeds 0, 1, 2"))
    assert "never a diagnosis" in page and "None" not in page and "nan" not in page
    assert "No model was trained on these notes" in section(page, "Strategies as queries")
    pairs = [each for each in results["differences"] if each["first"] == "p3 notes"]
    assert {each["second"] for each in pairs} == {"m notes"} and len(pairs) == len(retrieval_measures("m"))
    assert "Only 3 of 90 training cases" in section(page, "Left out") and "![Kappa" in page


def test_summary_claims_no_more_than_the_intervals(results: dict[str, Any]) -> None:
    summary = section(write_grid_page(results, {}), "Summary")
    assert "kappa of m is higher than of image-only by +0." in summary and "in all 3 seeds" in summary
    assert "search with m notes is above chance" in summary and "search with p3 notes" in summary
    unclear = [{**each, "verdict": UNCLEAR, "ci": [-0.1, 0.2]} for each in results["differences"]]
    summary = section(write_grid_page({**results, "differences": unclear}, {}), "Summary")
    assert UNCLEAR in summary and "higher than" not in summary
    single = [{**each, "by_seed": each["by_seed"][:1]} for each in results["differences"]]
    page = write_grid_page({**results, "differences": single}, {})
    assert "| higher |" not in page and "| higher in the one seed run |" in page and "one seed only" in page
    nothing = {"cells": [], "figures": [], "rows": [], "differences": []}
    assert "No finished cells" in write_grid_page({**results, **nothing}, {})


def test_plots_are_drawn_and_outdated_ones_removed(results: dict[str, Any], tmp_path: Path) -> None:
    undefined = {**results["figures"][0], "row": "a", "mean": None, "ci": None}  # kappa of a single class
    drawn = draw_grid({**results, "figures": [*results["figures"], undefined]}, tmp_path)
    assert list(drawn) == ["kappa.png", "retrieval.png", "differences.png", "queries.png"]
    assert all(Image.open(path).width > 500 for path in tmp_path.glob("*.png"))
    assert draw_grid({**results, "figures": [], "differences": []}, tmp_path) == {}
    assert not list(tmp_path.glob("*.png"))


NO_DIFFERENCE, FEW = "no significant difference from classification", "unknown (too few seeds)"


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
    assert loss_verdict({**more, "ci": [-0.1, 0.3]}) == NO_DIFFERENCE
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
        ([MORE, NO_DIFFERENCE], "it held in part"),
        ([NO_DIFFERENCE, LESS], "it did not hold here"),
        ([MORE, LESS], "both directions"),
        ([NO_DIFFERENCE, FEW], "leave it open"),
    ):
        assert outcome in claim_outcome(verdicts)["outcome"]
