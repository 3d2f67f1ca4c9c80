"""Settings: the files that ship, overrides, and one clear line for every mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dermnote.errors import ConfigError, DermNoteError
from train.training.train_config import CONFIGS, Augmentation, TextConfig, TrainConfig, load_config


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text("text_config: {hidden_size: 32}\ntext_layers: all\nlr: 1e-3\nprecision: no\n")
    return path


@pytest.mark.parametrize("name", ["paper", "starter", "smoke", "finetune"])
def test_a_shipped_config_reads_and_comes_back(tmp_path: Path, name: str) -> None:
    config = load_config(CONFIGS / f"{name}.yaml")
    (tmp_path / "again.yaml").write_text(config.to_yaml())
    assert load_config(tmp_path / "again.yaml") == config
    if name in ("paper", "starter"):  # the files that explain every setting
        named = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
        assert set(named) == set(TrainConfig.__dataclass_fields__)


def test_the_papers_settings_are_the_authors() -> None:
    paper = load_config(CONFIGS / "paper.yaml")
    assert (paper.optimizer, paper.amsgrad, paper.lr, paper.weight_decay) == ("adam", True, 1e-4, 1e-5)
    assert (paper.batch_size, paper.epochs, paper.patience, paper.class_balance) == (32, 10, 10, 1.0)
    assert (paper.backbone, paper.image_size, paper.text_layers, paper.losses.nt_xent) == ("densenet121", 224, 0, 0.5)


def test_yaml_spellings_and_overrides_of_groups(plain: Path) -> None:
    config = load_config(plain)
    assert (config.lr, config.precision, config.text_config) == (0.001, "no", TextConfig(hidden_size=32))
    config = load_config(plain, ["losses.nt_xent=0", "strategies=[m, p3]", "augment=false", "seed=7"])
    assert (config.losses.nt_xent, config.losses.l1, config.seed) == (0.0, 1.0, 7)
    assert config.strategies == ("m", "p3")
    assert config.augmentation is None
    assert load_config(plain, ["augment=false", "augment.flip=0.1"]).augmentation == Augmentation(flip=0.1)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epoch=3", "nearest known key is 'epochs'"),
        ("losses.ntxent=1", "nearest known key is 'losses.nt_xent'"),
        ("epochs=many", "'epochs' in .* must be a whole number, not 'many'"),
        ("epochs=2.5", "must be a whole number"),
        ("epochs=true", "must be a whole number"),
        ("epochs=0", "'epochs' must be at least 1, not 0"),
        ("lr=-1", "'lr' must be above 0"),
        ("precision=fp8", "one of auto, no, bf16, fp16"),
        ("view_size=300", r"'view_size' must be from 16 to image_size \(\d+\), or null, not 300"),
        ("losses=3", "a group of settings"),
        ("strategies=[q]", "Unknown note strategy 'q'"),
        ("text_model=org/bert", "either text_model .* or text_config"),
        ("text_layers=0", "text_layers=all"),
        ("text_layers=some", "a whole number or one of all"),
        ("mask_diagnosis=1.5", "between 0 and 1"),
        ("epochs", "not key=value"),
        ("epochs=[", "not YAML"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(plain: Path, override: str, message: str) -> None:
    with pytest.raises(DermNoteError, match=message) as caught:
        load_config(plain, [override])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "cannot be read"), ("epochs: [1, 2\nlr: 3", "not valid YAML"), ("- 1\n- 2\n", "settings by name")],
)
def test_a_config_that_cannot_be_read_is_one_clear_line(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(tmp_path / "run.yaml")
