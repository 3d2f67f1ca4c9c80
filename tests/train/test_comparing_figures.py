"""Figures, differences and tables of made-up runs: known numbers in, known words out."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score

from train.comparison.cell_results import Measure, Runs, figures_on
from train.comparison.cells import LeftOut, cells_of
from train.comparison.differences import UNCLEAR, UNKNOWN, difference
from train.comparison.grid_report import collect, searches
from train.comparison.grid_tables import write_markdown
from train.comparison.plan import GridPlan, Partition, Recipe
from train.comparison.rows import rows_of
from train.comparison.study_report import losses, mean_and_interval
from train.comparison.study_tables import claim_tested, verdict, write_study

N, CLASSES = 120, 3
SMOKE = Path(__file__).resolve().parents[2] / "train" / "configs" / "smoke.yaml"


def runs(
    right: float, *, queries: tuple[str, ...] = (), seeds: tuple[int, ...] = (0, 1, 2), quality: float = 0.5
) -> Runs:
    """Runs that tell this share of the cases right, and find as well as they are told to."""
    tables, facts = {}, {}
    for seed in seeds:
        rng = np.random.default_rng([seed, 7])
        labels = np.arange(N) % CLASSES
        told = np.where(rng.permutation(N) < right * N, labels, (labels + 1) % CLASSES)
        table = pd.DataFrame(
            {
                "case_id": [f"x/{i:03d}" for i in range(N)],
                "source": ["a" if i % 2 else "b" for i in range(N)],
                "modality": ["clinical" if i % 4 < 2 else "dermoscopy" for i in range(N)],
                "split": "test",
                "group": [f"g{i // 2}" for i in range(N)],
                "class_id": labels,
                **{f"logit:{c}": (told == c).astype(float) for c in range(CLASSES)},
            }
        )
        for name in queries:
            for measure in searches(name):
                kind = "ap" if measure.kind == "map" else "cosine"
                key = ":".join(filter(None, (kind, name, measure.version, measure.direction)))
                table[key] = np.clip(rng.normal(quality, 0.1, N), 0, 1)
        rows = {row: {"image_to_text": 0.3, "text_to_image": 0.3, "random_pairs": 0.1} for row in rows_of(table)}
        facts[seed] = {"device": "cpu", "queries": {name: {"masked": rows, "as_written": rows} for name in queries}}
        tables[seed] = table
    return Runs(tables, facts)


def test_rows_are_all_modalities_and_sources_and_drawings_stand_apart() -> None:
    table = runs(1.0).table
    assert list(rows_of(table)) == ["all", "dermoscopic", "clinical", "a", "b"]
    drawn = table.assign(source=["drawn" if i % 2 else "b" for i in range(N)])
    rows = rows_of(drawn)
    assert rows["all"].sum() == N / 2 and not (rows["all"] & rows["drawn"]).any()
    split = table.assign(split=["external" if i % 3 else "test" for i in range(N)])
    assert {"test, all", "external, all", "external, clinical"} <= set(rows_of(split))


def test_figures_are_those_of_scikit_learn_with_an_interval_around_them() -> None:
    found = runs(0.7, queries=("m",))
    measures = [Measure("kappa"), Measure("balanced_accuracy"), *searches("m")]
    told = figures_on(found, "clinical", measures, n_boot=200)
    mask = found.rows["clinical"]
    kappas, recalls = [], []
    for table in found.tables.values():
        part = table[mask]
        guess = part[[f"logit:{c}" for c in range(CLASSES)]].to_numpy().argmax(axis=1)
        kappas.append(cohen_kappa_score(part["class_id"], guess))
        recalls.append(balanced_accuracy_score(part["class_id"], guess))
    assert told["kappa"].by_seed == pytest.approx(kappas) and told["kappa"].mean == pytest.approx(np.mean(kappas))
    assert told["balanced_accuracy"].mean == pytest.approx(np.mean(recalls))
    assert told["kappa"].ci is not None and told["kappa"].ci[0] < told["kappa"].mean < told["kappa"].ci[1]
    assert told["kappa"].chance is None
    key = "map:m:masked:image_to_text"
    assert told[key].mean == pytest.approx(
        np.mean([t[mask][key.replace("map", "ap")].mean() for t in found.tables.values()])
    )
    assert told[key].chance == pytest.approx(0.3)


def compared(one: Runs, other: Runs, measure: Measure = Measure("kappa")) -> object:  # noqa: B008
    return difference(one, other, "all", (measure, measure), ("m", "image-only"), n_boot=300)


def test_a_difference_is_told_only_where_interval_and_seeds_agree() -> None:
    better = compared(runs(0.9), runs(0.5))
    assert better.verdict == "higher" and better.value == pytest.approx(np.mean(better.by_seed))
    assert compared(runs(0.5), runs(0.9)).verdict == "lower"
    same = compared(runs(0.7), runs(0.7))
    assert same.verdict == UNCLEAR and same.value == 0.0
    mixed = type(better)(**{**asdict(better), "by_seed": (0.4, 0.5, -0.01)})
    assert mixed.verdict == UNCLEAR  # though its interval leaves 0 out
    assert type(better)(**{**asdict(better), "ci": None}).verdict == UNKNOWN


def test_only_shared_seeds_are_compared() -> None:
    found, fewer = compared(runs(0.9), runs(0.5)), compared(runs(0.9), runs(0.5, seeds=(2, 1)))
    assert fewer.by_seed == found.by_seed[1:]
    assert compared(runs(0.9), runs(0.5, seeds=(7,))) is None


def test_other_cases_are_not_compared() -> None:
    other = runs(0.9)
    strange = Runs(
        {seed: table.assign(case_id=table["case_id"] + "?") for seed, table in other.tables.items()}, other.facts
    )
    assert compared(runs(0.5), strange) is None


def plan() -> GridPlan:
    cells = {
        "image-only": Recipe(multimodal=False),
        "m": Recipe(against="image-only"),
        "p3": Recipe(strategies=("p3",), against="image-only"),
        "m-ce-only": Recipe(against="m", about="cross-entropy alone"),
        "m-queried": Recipe(queries=("m", "p3"), partitions=("llm",)),
    }
    partitions = {"internal": Partition(title="internal"), "llm": Partition()}
    return GridPlan(base=str(SMOKE), cells=cells, partitions=partitions)


@pytest.fixture(scope="module")
def told() -> dict:
    found = {
        "internal/image-only": runs(0.5),
        "internal/m": runs(0.9, queries=("m",)),
        "internal/m-ce-only": runs(0.9, queries=("m",), quality=0.31),
        "llm/m-queried": runs(0.6, queries=("m", "p3"), seeds=(0,)),
    }
    left_out = [LeftOut("internal/p3", "Only 3 of 90 training cases have a note of p3.")]
    about = {
        "command": "python -m train.compare --config x",
        "cases": "cases",
        "notes": "notes.jsonl",
        "query_notes": None,
    }
    about |= {"seeds": [0, 1, 2], "device": "cpu", "bootstrap": 100, "versions": {"torch": "2"}, "told": ["One line."]}
    return about | collect(plan(), cells_of(plan()), found, left_out, n_boot=20)


def section(page: str, title: str) -> str:
    return page.split(f"## {title}")[1].split("\n## ")[0]


def test_the_tables_have_the_papers_shape_with_its_figures_in_columns_of_their_own(told: dict) -> None:
    page = write_markdown(json.loads(json.dumps(told)), ["kappa.png"])
    kappa = section(page, "Table 2")
    header, _, first = kappa.split("\n\n")[1].splitlines()[:3]
    assert [cell.strip() for cell in header.split("|")[1:-1]] == [
        *("partition, data", "cases / groups", "Img", "M", "M+P1", "M+P2", "P3", "mix"),
        *("Img (paper)", "M+P2 (paper)", "P3 (paper)"),
    ]
    cells = [cell.strip() for cell in first.split("|")[1:-1]]
    assert cells[:2] == ["internal, all", "120 / 60"] and cells[4] == "–" and cells[6] == "left out"
    assert cells[3].startswith("0.850 [") and cells[8:] == ["–"] * 3
    assert "| paper: SKINL2, external |" in kappa and "| 0.686 | 0.743 | ? |" in kappa
    retrieval = section(page, "Table 3")
    assert retrieval.index("Diagnosis masked") < retrieval.index("As written")
    masked, written = retrieval.split("### As written")
    assert "0.787" in written and "0.787" not in masked and "(0.300)" in masked
    assert "0.689 to 0.797" in section(page, "Table 5")
    for title in ("Table 2", "Table 3", "Table 4", "Table 5", "Against image-only", "Losses", "Strategies as queries"):
        said = section(page, title)
        assert "python -m train.compare --config x" in said and "device cpu" in said and "seeds 0, 1, 2" in said
    assert "never a diagnosis" in page and "None" not in page and "nan" not in page
    assert "Only 3 of 90 training cases" in section(page, "Left out") and "![Kappa" in page


def test_the_summary_says_no_more_than_the_intervals(told: dict) -> None:
    said = section(write_markdown(told, []), "In plain words")
    assert "kappa of m is higher than of image-only by +0." in said and "in all 3 seeds" in said
    assert "search with m notes is above chance" in said and "search with p3 notes" in said
    unclear = [{**each, "verdict": UNCLEAR, "ci": [-0.1, 0.2]} for each in told["differences"]]
    said = section(write_markdown({**told, "differences": unclear}, []), "In plain words")
    assert "no difference can be told" in said and "higher than" not in said
    nothing = {"cells": [], "figures": [], "rows": [], "differences": []}
    assert "Nothing is finished" in write_markdown({**told, **nothing}, [])


def test_one_seed_is_no_claim(told: dict) -> None:
    assert "| higher |" in section(write_markdown(told, []), "Against image-only")
    single = [{**each, "by_seed": each["by_seed"][:1]} for each in told["differences"]]
    page = write_markdown({**told, "differences": single}, [])
    assert "| higher |" not in page and "| higher in the one seed run |" in page
    assert "one seed only: another may come out otherwise" in section(page, "In plain words")


def test_sets_of_queries_are_compared_on_the_same_lesions(told: dict) -> None:
    pairs = [each for each in told["differences"] if each["first"] == "p3 notes"]
    assert {each["second"] for each in pairs} == {"m notes"} and len(pairs) == len(searches("m"))
    assert "No model was trained on these notes" in section(write_markdown(told, []), "Strategies as queries")


def test_pictures_are_drawn_and_those_of_an_earlier_look_removed(told: dict, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from PIL import Image

    from train.comparison.plots import draw_all

    assert draw_all(told, tmp_path) == ["kappa.png", "retrieval.png", "differences.png", "queries.png"]
    assert all(Image.open(path).width > 500 for path in tmp_path.glob("*.png"))
    assert draw_all({**told, "figures": [], "differences": []}, tmp_path) == []
    assert not list(tmp_path.glob("*.png"))


def point(measure: str, rate: float, values: list[float], chance: float = 0.0) -> dict:
    return {
        **{"kind": "p3", "rate": rate, "measure": measure, "seeds": [0, 1, 2], "by_seed": values},
        "chance_by_seed": [chance] * 3,
    }


def test_relative_losses_are_of_what_lies_above_chance() -> None:
    masked = "map:clean:masked:text_to_image"
    points = [
        *(point("kappa", 0.0, [0.8, 0.8, 0.8]), point("kappa", 0.8, [0.72, 0.72, 0.64])),
        *(point(masked, 0.0, [0.5, 0.5, 0.6], 0.1), point(masked, 0.8, [0.3, 0.2, 0.2], 0.1)),
    ]
    told = {each["measure"]: each for each in losses(points, "p3", 0.0, 0.8)}
    assert set(told) == {"kappa", masked}
    assert told["kappa"]["loss"]["mean"] == pytest.approx(np.mean([0.1, 0.1, 0.2]))
    assert told[masked]["loss"]["mean"] == pytest.approx(np.mean([0.5, 0.75, 0.8]))
    more = told[masked]["more_than_kappa"]
    expected = np.array([0.4, 0.65, 0.6])
    from scipy import stats

    ends = stats.t.interval(0.95, 2, expected.mean(), stats.sem(expected))
    assert more["mean"] == pytest.approx(expected.mean()) and more["ci"] == pytest.approx(ends, rel=1e-3)
    assert verdict(told[masked]) == "hurt more than classification"
    assert verdict({"more_than_kappa": {**more, "ci": [-0.1, 0.3]}}) == "no difference from classification can be told"
    assert verdict({"more_than_kappa": {**more, "ci": [-0.3, -0.1]}}) == "hurt less than classification"
    for few in (None, {**more, "ci": None}, {**more, "mean": None}):
        assert verdict({"more_than_kappa": few}) == "cannot be told (too few seeds)"
    assert mean_and_interval([0.3]) == {"mean": 0.3, "ci": None, "n": 1}
    assert losses(points[:1], "p3", 0.0, 0.8) == []


def test_the_studys_page_says_which_way_it_came_out() -> None:
    masked = "cosine:corrupted:masked"
    points = [
        *(point("kappa", 0.0, [0.8, 0.8, 0.8]), point("kappa", 0.8, [0.8, 0.79, 0.8])),
        *(point(masked, 0.0, [0.5, 0.5, 0.5], 0.1), point(masked, 0.8, [0.3, 0.31, 0.3], 0.1)),
    ]
    told = {
        **{"kinds": ["p3"], "rates": [0.0, 0.8], "seeds": [0, 1, 2], "drawn": 10, "held_out": 5, "n_cases": 5},
        **{"device": "cpu", "command": "python -m train.compare", "versions": {}, "left_out": [], "points": points},
        **{"image_only": {"by_seed": [0.7, 0.71, 0.72]}, "losses": losses(points, "p3", 0.0, 0.8)},
    }
    page = write_study(told, with_plot=False)
    assert "p3, from 0% to 80% wrong, loses: kappa 0% [-1, 2] of its value; diagnosis masked, searches and" in page
    assert "**On drawn lesions, diagnosis masked, it held here**: of 1 measures" in page
    assert "as written, it" not in page
    written = [{**each, "measure": "cosine:clean:as_written"} for each in told["losses"][1:]]
    assert "diagnosis masked, it held here" in claim_tested({"losses": [*told["losses"], *written]})
    assert "as written, it held here" in claim_tested({"losses": [*told["losses"], *written]})
    less = [{**each, "more_than_kappa": {"mean": -0.2, "ci": [-0.3, -0.1], "n": 3}} for each in told["losses"][1:]]
    assert "it did not hold here" in claim_tested({"losses": less})
    open_one = [{**less[0], "more_than_kappa": {"mean": 0.1, "ci": [-0.3, 0.5], "n": 3}}]
    assert "these runs cannot tell" in claim_tested({"losses": open_one})
    assert "held in part" in claim_tested({"losses": [*told["losses"], *open_one]})
    assert "both ways" in claim_tested({"losses": [*told["losses"], *less]})
    assert "| image-only, no notes | 0.710 [0.700, 0.720] |" in page and "0.303 [0.300, 0.310] (0.100)" in page
    assert "searched with clean notes" in page and "searched with notes as corrupted as those learnt from" in page
