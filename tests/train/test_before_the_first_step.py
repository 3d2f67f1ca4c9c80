"""A disk that is full, before a run and in the middle of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_cases import write_cases, write_settings, write_square_notes
from training_worlds import World, fit

from dermnote.errors import ConfigError
from train import fit as step
from train.training.checkpoint import newest
from train.training.disk_space import check_room

TRAIN, VALIDATION = [0, 1, 2] * 8, [0, 1, 2]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    write_cases(folder / "cases", TRAIN, VALIDATION)
    write_square_notes(folder / "notes.jsonl", TRAIN)
    write_settings(folder / "run.yaml", "checkpoint_minutes: 1.0e-9\n")
    return folder


def arguments(place: Path, out: Path) -> list[str]:
    given = ["--config", str(place / "run.yaml"), "--cases", str(place / "cases"), "--out", str(out)]
    return [*given, "--notes", str(place / "notes.jsonl")]


def test_a_disk_without_room_is_said_before_the_first_step(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2e6))
    with pytest.raises(
        ConfigError, match=r"has 0.00 GB left; this run's checkpoints take 0.0\d GB.*another disk"
    ) as it:
        step.main(arguments(place, out))
    assert "\n" not in str(it.value)
    assert newest(out / "checkpoints") is None


def test_room_is_looked_for_before_the_folder_is_there(tmp_path: Path) -> None:
    check_room(tmp_path / "not" / "yet", 1)
    with pytest.raises(ConfigError, match="left"):
        check_room(tmp_path / "not" / "yet", 10**18)


def fill_the_disk() -> None:
    """From the second checkpoint on no file may grow beyond what the system allows: a real fault of a real write."""
    import resource

    import train.training.training_run as training

    kept, saved = training.save_checkpoint, []

    def save(*given: object) -> Path:
        saved.append(1)
        if len(saved) == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        return kept(*given)  # type: ignore[arg-type]

    training.save_checkpoint = save


def test_a_disk_that_fills_up_is_one_line_and_the_last_checkpoint_is_whole(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    world = World(fit, arguments(place, out), fill_the_disk, output=tmp_path / "said")
    assert world.statuses() == [2], world.said
    line = next(each for each in world.said.replace("\r", "\n").splitlines() if each.startswith("error:"))
    assert f"The run in {out} was cut short" in line
    assert "File too large" in line
    assert "go on with --resume; the last checkpoint is whole" in line
    assert "Traceback" not in world.said
    assert [path.name for path in (out / "checkpoints").iterdir()] == ["00000-00000001"]
    again = World(fit, [*arguments(place, out), "--resume"], output=tmp_path / "again")
    assert again.statuses() == [0], again.said
    assert "Going on after epoch 0, update 1" in again.said
