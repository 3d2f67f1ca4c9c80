"""Config of a comparison, its cells, and the case views of its partitions."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_cases import NAMES, case_row, write_cases

from dermnote.errors import CasesError, ConfigError, DermNoteError
from train.comparison.case_views import assign_splits, make_view
from train.comparison.hallucination import rate_name, study_cells
from train.comparison.plan import (
    CaseFilter,
    GridPlan,
    Partition,
    StudyPlan,
    expand_grid,
    load_plan,
    select_cells,
    training_cost,
)
from train.data.cases import Cases, schema

CONFIGS = Path(__file__).resolve().parents[2] / "train" / "configs"
SMALL = """
base: {base}
seeds: [4, 2]
settings: {{epochs: 3}}
partitions:
  internal: {{}}
  away: {{train_on: {{modality: dermoscopy}}, test_on: {{modality: clinical}}, test_splits: all}}
cells:
  image-only: {{multimodal: false, partitions: [internal, away]}}
  m: {{strategies: [m], against: image-only}}
  plain: {{strategies: [m], settings: {{losses: {{nt_xent: 0.0}}}}}}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "plan.yaml"
    path.write_text(text.format(base=CONFIGS / "smoke.yaml"))
    return path


def test_grid_expands_to_cells_with_their_own_settings(tmp_path: Path) -> None:
    plan = load_plan(write(tmp_path, SMALL), ["losses.l1=0.25", "epochs=7"])
    assert isinstance(plan, GridPlan)
    cells = {cell.name: cell for cell in expand_grid(plan)}
    assert list(cells) == ["internal/image-only", "internal/m", "internal/plain", "away/image-only"]
    assert list(cells["internal/m"].configs) == [4, 2] and cells["internal/m"].configs[2].seed == 2
    losses = cells["internal/plain"].config.losses
    assert (losses.nt_xent, losses.l1, losses.cosine) == (0.0, 0.25, 1.0)  # a group is changed key by key
    assert cells["internal/m"].config.losses.nt_xent == 0.5
    assert {cell.config.epochs for cell in cells.values()} == {7}
    assert cells["internal/image-only"].queries == () and cells["internal/m"].queries == ("m",)
    assert plan.partitions["away"].test_on.modality == "clinical"
    # cost: cases x epochs x relative area
    assert training_cost(cells["internal/m"].config, 100) == pytest.approx(100 * 7 * (64 / 128) ** 2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("against: image-only", "against: image_only"), "Unknown key 'image_only'.*nearest known key is 'image-only'"),
        (("[internal, away]", "[internal, afar]"), "Unknown key 'afar'"),
        (("modality: clinical", "modality: x-ray"), "modality.* must be one of dermoscopy, clinical"),
        (("seeds: [4, 2]", "seeds: [4, 4]"), "list of different numbers"),
        (("seeds: [4, 2]", "seeds: [4, two]"), "'seeds' in .* must be a list of whole numbers"),
        (("settings: {{epochs: 3}}", "settings: 3"), "'settings' in .* must be a group of settings"),
        (("  internal: {{}}", "  internal: 3"), "'partitions.internal' in .* must be a group of settings"),
        (("multimodal: false", "multimodel: false"), "nearest known key is 'cells.image-only.multimodal'"),
        (("epochs: 3", "epoch: 3"), "Unknown key 'epoch'"),
        (("strategies: [m], against", "strategies: [m9], against"), "Unknown note strategy"),
        (("cells:", "kind: heat\ncells:"), "must be grid or hallucination"),
        (("base: {base}", "base: none.yaml"), "base config .* cannot be read"),
    ],
)
def test_config_errors_are_one_line(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    assert change[0] in SMALL
    with pytest.raises(DermNoteError, match=words) as raised:
        plan = load_plan(write(tmp_path, SMALL.replace(*change)))
        expand_grid(plan)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)


def test_cells_are_selected_by_name_recipe_or_partition(tmp_path: Path) -> None:
    cells = expand_grid(load_plan(write(tmp_path, SMALL)))  # type: ignore[arg-type]
    assert [each.name for each in select_cells(cells, ["image-only"])] == ["internal/image-only", "away/image-only"]
    assert [each.name for each in select_cells(cells, ["away", "internal/p*"])] == ["internal/plain", "away/image-only"]
    assert select_cells(cells, []) == cells
    with pytest.raises(ConfigError, match="No cell is named 'p4'"):
        select_cells(cells, ["p4"])


def test_shipped_configs_are_valid() -> None:
    grid = load_plan(CONFIGS / "compare.yaml")
    assert isinstance(grid, GridPlan)
    cells = expand_grid(grid)
    select_cells(cells, grid.minimum)
    assert {"image-only", "m", "m+p1", "m+p2", "p3", "mix"} <= {cell.recipe for cell in cells}
    assert len({(cell.config.epochs, cell.config.image_size, cell.config.lr) for cell in cells}) == 1  # same budget
    frozen, trained = (next(c.config for c in cells if c.recipe == f"m-text-{kind}") for kind in ("frozen", "trained"))
    assert frozen.with_values(text_layers="all") == trained
    study = load_plan(CONFIGS / "hallucination.yaml")
    assert isinstance(study, StudyPlan)
    names = [cell.name for cell in study_cells(study)]
    assert len(names) == 1 + len(study.kinds) * len(study.rates) and rate_name(0.4) == "rate-40"
    select_cells(study_cells(study), study.minimum)


# split, source, modality, group: lesion "both" has two images
ROWS = [
    ("train", "a", "dermoscopy", "g0"),
    ("train", "a", "dermoscopy", "both"),
    ("train", "a", "clinical", "both"),
    ("train", "b", "clinical", "g1"),
    ("validation", "a", "dermoscopy", "g2"),
    ("validation", "b", "clinical", "g3"),
    ("test", "a", "dermoscopy", "g4"),
    ("test", "b", "clinical", "g5"),
]
AWAY = Partition(train_on=CaseFilter(modality="dermoscopy"), test_on=CaseFilter(modality="clinical"), test_splits="all")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_cases(tmp_path_factory.mktemp("views") / "cases", [], [])
    for split in ("train", "validation", "test"):
        rows = [
            {**case_row(split, i, i % 3, NAMES), "source": source, "modality": modality, "group": group}
            for i, (own, source, modality, group) in enumerate(ROWS)
            if own == split
        ]
        pq.write_table(pa.Table.from_pylist(rows, schema=schema()), path / "data" / f"{split}-00000-of-00001.parquet")
    sources = {name: {"licence": "cc0-1.0"} for name in "ab"}
    (path / "summary.json").write_text(json.dumps({"classnames": list(NAMES), "sources": sources, "splits": {}}))
    return path


def shown(view_folder: Path, split: str) -> list[str]:
    return sorted(Cases.read(view_folder, splits=[split]).table["group"])


def test_lesions_in_training_are_not_tested_on(folder: Path, tmp_path: Path) -> None:
    view = make_view(folder, AWAY, tmp_path / "away", "away")
    assert shown(view.folder, "train") == ["both", "g0"] and shown(view.folder, "validation") == ["g2"]
    assert shown(view.folder, "external") == ["g1", "g3", "g5"]
    assert view.notice.startswith("1 cases are not tested on")
    assert len(view.table.query("split in ('train', 'external')")) == 5
    whole = Cases.read(view.folder)
    by_id = dict(zip(Cases.read(folder).table["case_id"], Cases.read(folder).images, strict=True))
    assert all(by_id[case_id] == image for case_id, image in zip(whole.table["case_id"], whole.images, strict=True))
    assert whole.classnames == NAMES and (whole.table["split"] == "external").sum() == 3


def test_lesions_in_the_test_set_leave_training_if_the_test_has_priority(folder: Path, tmp_path: Path) -> None:
    partition = Partition(test_on=CaseFilter(noted=True), test_splits="all", lesions_in_both="test")
    ids = Cases.read(folder).table.query("group == 'both' and modality == 'dermoscopy'")["case_id"]
    view = make_view(folder, partition, tmp_path / "noted", "noted", set(ids))
    assert shown(view.folder, "external") == ["both"] and shown(view.folder, "train") == ["g0", "g1"]
    assert "are not trained on" in view.notice


def test_no_patient_and_no_image_is_on_both_sides() -> None:
    rows = [("train", "g0", "x"), ("train", "g1", "y"), ("test", "g2", "x"), ("test", "g1", "z"), ("test", "g3", "w")]
    table = pd.DataFrame(rows, columns=["split", "group", "content_sha256"])
    table = table.assign(case_id=range(5), source="a", modality="dermoscopy").astype({"case_id": str})
    split, notice = assign_splits(table, Partition())
    assert list(split) == ["train", "train", "", "", "test"] and notice.startswith("2 cases")


def test_complete_views_are_not_copied_and_unchanged_files_are_linked(folder: Path, tmp_path: Path) -> None:
    assert make_view(folder, Partition(), tmp_path / "all", "all").folder == folder
    assert not (tmp_path / "all").exists()
    only_a = Partition(train_on=CaseFilter(without=("b", "drawn")))
    view = make_view(folder, only_a, tmp_path / "a", "a")
    files = {path.name.split("-")[0]: path for path in (view.folder / "data").iterdir()}
    assert files["test"].is_symlink() and not files["train"].is_symlink()
    before = files["train"].stat().st_mtime_ns
    assert make_view(folder, only_a, tmp_path / "a", "a").fingerprint == view.fingerprint
    assert files["train"].stat().st_mtime_ns == before  # not written again
    assert not (tmp_path / "look").exists()
    assert make_view(folder, only_a, tmp_path / "look", "a", write=False).fingerprint == view.fingerprint
    assert not (tmp_path / "look").exists()


def test_unknown_sources_and_empty_sides_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Partition p names the source 'c'"):
        make_view(folder, Partition(test_on=CaseFilter(sources=("c",))), tmp_path / "p", "p")
    nothing = Partition(train_on=CaseFilter(sources=("b",), modality="dermoscopy"))
    with pytest.raises(CasesError, match=r"Partition p has no cases of .* to train on"):
        make_view(folder, nothing, tmp_path / "p", "p")
