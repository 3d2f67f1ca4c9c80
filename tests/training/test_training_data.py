"""Notes of training cases, drawn by strategy and masked by chance."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch

from tests.tiny_cases import NAMES, write_cases
from train.data.cases import Cases
from train.training.batches import seeded
from train.training.train_config import TrainConfig
from train.training.training_data import NoteTable, training_side


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    kinds = [0] * 12 + [1] * 3 + [2]
    return Cases.read(write_cases(tmp_path_factory.mktemp("notes") / "cases", kinds, [0, 1]), splits=["train"])


def test_training_images_are_read_larger_only_if_they_are_cropped() -> None:
    image_only = TrainConfig(multimodal=False, image_size=224)
    assert training_side(image_only) == 256
    assert training_side(image_only.with_values(augment=False)) == 224


NOTES = {
    "squares/train-0": {"m": "A melanoma, dark.", "p3": "A dark spot."},
    "squares/train-1": {"m": "A melanoma, dark."},
}


def test_notes_are_drawn_by_strategy_and_masked_by_chance(cases: Cases) -> None:
    table = NoteTable.build(cases, NOTES, mask_chance=0.25)
    assert table.without_note == len(cases) - 2
    numbers = table.draw([0] * 4000 + [2], torch.rand(4001, 2, generator=seeded(0, 0))).tolist()
    assert numbers[-1] == -1
    seen = Counter(table.texts[number] for number in numbers[:-1])
    assert seen["A dark spot."] / 4000 == pytest.approx(0.5, abs=0.05)  # nothing to mask: the same either way
    assert seen["A melanoma, dark."] / 4000 == pytest.approx(0.375, abs=0.05)
    masked = [text for text in seen if "masked" in text]
    assert len(masked) == 1
    assert "melanoma" not in masked[0]


def test_without_masking_every_note_is_as_written(cases: Cases) -> None:
    table = NoteTable.build(cases, NOTES, mask_chance=0)
    assert set(table.texts) == {"A melanoma, dark.", "A dark spot."}
    drawn = {table.texts[number] for number in table.draw([0] * 50, torch.rand(50, 2, generator=seeded(0, 0))).tolist()}
    assert drawn == set(table.texts)


def test_masking_includes_the_class_names_of_the_cases(tmp_path: Path) -> None:
    names = ("zebra stripe", *NAMES[1:])
    cases = Cases.read(write_cases(tmp_path / "own", [0], [0], names), splits=["train"])
    table = NoteTable.build(cases, {"squares/train-0": {"m": "A zebra stripe of the spotted kind."}}, mask_chance=1)
    assert "zebra" not in table.texts[table.masked[0][0]]
    assert "spotted" not in table.texts[table.masked[0][0]]


def test_a_note_without_information_once_masked_stays_as_written(cases: Cases) -> None:
    rows = {"a": 0, "b": 12, "c": 15}  # one case of each class
    bare = {f"squares/train-{rows[k]}": {"m": f"Diagnosed as {NAMES[n]}."} for n, k in enumerate("abc")}
    assert len({cases.table["label"][row] for row in rows.values()}) == 3
    table = NoteTable.build(cases, bare, mask_chance=1)
    assert table.masked == table.written
    informative = {**bare, "squares/train-0": {"m": f"Diagnosed as {NAMES[0]}. Round."}}
    table = NoteTable.build(cases, informative, mask_chance=1)
    assert "Round" in table.texts[table.masked[0][0]]
    assert NAMES[0] not in table.texts[table.masked[0][0]]
