"""What a comparison's config may say, and what it expands to."""

from __future__ import annotations

from pathlib import Path

import pytest

from dermnote.errors import ConfigError
from train.comparison.cells import cells_of, chosen, pictures_of
from train.comparison.hallucination import cells_of_study, rate_name
from train.comparison.plan import GridPlan, StudyPlan, load_plan

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


def test_a_grid_expands_to_cells_that_differ_in_what_they_say(tmp_path: Path) -> None:
    plan = load_plan(write(tmp_path, SMALL), ["losses.l1=0.25", "epochs=7"])
    assert isinstance(plan, GridPlan)
    cells = {cell.name: cell for cell in cells_of(plan)}
    assert list(cells) == ["internal/image-only", "internal/m", "internal/plain", "away/image-only"]
    assert list(cells["internal/m"].configs) == [4, 2] and cells["internal/m"].configs[2].seed == 2
    losses = cells["internal/plain"].config.losses
    assert (losses.nt_xent, losses.l1, losses.cosine) == (0.0, 0.25, 1.0)  # a group is changed key by key
    assert cells["internal/m"].config.losses.nt_xent == 0.5
    assert {cell.config.epochs for cell in cells.values()} == {7}
    assert cells["internal/image-only"].queries == () and cells["internal/m"].queries == ("m",)
    assert plan.partitions["away"].test_on.modality == "clinical"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("against: image-only", "against: image_only"), "Unknown key 'image_only'.*nearest known key is 'image-only'"),
        (("[internal, away]", "[internal, afar]"), "Unknown key 'afar'"),
        (("modality: clinical", "modality: x-ray"), "modality.* must be one of dermoscopy, clinical"),
        (("seeds: [4, 2]", "seeds: [4, 4]"), "list of different numbers"),
        (("multimodal: false", "multimodel: false"), "nearest known key is 'cells.image-only.multimodal'"),
        (("epochs: 3", "epoch: 3"), "Unknown key 'epoch'"),
        (("strategies: [m], against", "strategies: [m9], against"), "Unknown note strategy"),
        (("cells:", "kind: heat\ncells:"), "must be grid or hallucination"),
        (("base: {base}", "base: none.yaml"), "base config .* cannot be read"),
    ],
)
def test_a_mistake_is_one_clear_line(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    from dermnote.errors import DermNoteError

    assert change[0] in SMALL
    with pytest.raises(DermNoteError, match=words) as told:
        plan = load_plan(write(tmp_path, SMALL.replace(*change)))
        cells_of(plan)  # type: ignore[arg-type]
    assert "\n" not in str(told.value)


def test_cells_are_chosen_by_any_of_their_names(tmp_path: Path) -> None:
    cells = cells_of(load_plan(write(tmp_path, SMALL)))  # type: ignore[arg-type]
    assert [each.name for each in chosen(cells, ["image-only"])] == ["internal/image-only", "away/image-only"]
    assert [each.name for each in chosen(cells, ["away", "internal/p*"])] == ["internal/plain", "away/image-only"]
    assert chosen(cells, []) == cells
    with pytest.raises(ConfigError, match="No cell is named 'p4'"):
        chosen(cells, ["p4"])


def test_the_cost_follows_pictures_epochs_and_area(tmp_path: Path) -> None:
    config = cells_of(load_plan(write(tmp_path, SMALL)))[0].config  # type: ignore[arg-type]
    assert pictures_of(config, 100) == pytest.approx(100 * 3 * (64 / 128) ** 2)


def test_the_configs_that_come_with_it_are_sound() -> None:
    grid = load_plan(CONFIGS / "compare.yaml")
    assert isinstance(grid, GridPlan)
    cells = cells_of(grid)
    chosen(cells, grid.minimum)
    assert {"image-only", "m", "m+p1", "m+p2", "p3", "mix"} <= {cell.recipe for cell in cells}
    assert len({(cell.config.epochs, cell.config.image_size, cell.config.lr) for cell in cells}) == 1  # same budget
    frozen, trained = (next(c.config for c in cells if c.recipe == f"m-text-{kind}") for kind in ("frozen", "trained"))
    assert frozen.with_values(text_layers="all") == trained
    study = load_plan(CONFIGS / "hallucination.yaml")
    assert isinstance(study, StudyPlan)
    names = [cell.name for cell in cells_of_study(study)]
    assert len(names) == 1 + len(study.kinds) * len(study.rates) and rate_name(0.4) == "rate-40"
    chosen(cells_of_study(study), study.minimum)
