"""A folder of images with a table of one's own, wrong folders, and the mapping of labels to classes."""

import json

import pandas as pd
import pytest

from dermnote.errors import CasesError
from tests.prepare.dataset_trees import photo, read, table
from train.data.sources import NAMED, Rejected


@pytest.mark.parametrize("name", [*(name for name in NAMED if name != "drawn"), "mine"])
def test_the_wrong_folder_is_one_line_with_the_files_looked_for(tmp_path, name):
    photo(tmp_path / "a.jpg")
    with pytest.raises(CasesError) as caught:
        read(name, tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path} does not look like {name}: looked for ")
    assert "\n" not in message


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_every_kind_of_table(tmp_path, kind):
    photo(tmp_path / "sub" / "007.png")
    rows = [
        {"file_name": "sub/007.png", "label": "Nevus", "age": 40, "sex": "F", "site": "back", "patient_id": "P1"}
        | {"malignancy": "Benign", "modality": "dermoscopy", "split": "val", "x0": 1, "y0": 2, "x1": 30, "y1": 35}
        | {"ward": "B", "skin_type": "Fitzpatrick 3", "description": "flat", "subtype": "blue nevus", "lesion_id": "L1"}
    ]
    path = tmp_path / f"metadata.{kind}"
    if kind == "csv":
        table(path, *rows)
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pd.DataFrame(rows).to_parquet(path)
    (case,) = read("clinic", tmp_path)
    assert (case.case_id, case.source, case.group) == ("clinic/sub/007.png", "clinic", "clinic/P1")
    assert (case.label, case.age, case.sex, case.split) == ("Nevus", 40, "female", "validation")
    assert (case.malignancy, case.modality, case.box) == ("benign", "dermoscopy", (1, 2, 30, 35))
    assert (case.skin_type, case.description, case.subtype) == ("Fitzpatrick 3", "flat", "blue nevus")
    assert case.extra == {"ward": "B"}


def test_bad_rows_are_rejected_one_by_one(tmp_path):
    folder = tmp_path / "mine"
    photo(tmp_path / "outside.png")
    photo(folder / "a.png")
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    names = ["../outside.png", str(tmp_path / "outside.png"), "link.png", "gone.png", ""]
    rows = [{"file_name": name} for name in names]
    rows += [{"file_name": "a.png", "split": "holdout"}, {"file_name": "a.png", "modality": "x-ray"}]
    rows += [{"file_name": "a.png", "x0": 5, "y0": 5, "x1": 1, "y1": 9}, {"file_name": "a.png", "label": "007"}]
    table(folder / "metadata.csv", *rows)
    *bad, good = read("mine", folder)
    assert [type(each) for each in bad] == [Rejected] * 8
    assert [each.row for each in bad] == list(range(2, 10))
    reasons = [each.reason for each in bad]
    assert reasons[:3] == ["file_name leads out of the folder"] * 3
    assert reasons[3:5] == ["the image is missing", "no file_name"]
    assert (good.label, good.group, good.modality) == ("007", "mine/a.png", "clinical")


def test_a_table_that_cannot_be_used(tmp_path):
    table(tmp_path / "metadata.csv", {"picture": "a.png"})
    with pytest.raises(CasesError, match="has no column file_name"):
        read("mine", tmp_path)
    (tmp_path / "metadata.csv").rename(tmp_path / "old.csv")
    (tmp_path / "metadata.parquet").write_bytes(b"not parquet")
    with pytest.raises(CasesError, match=r"metadata\.parquet cannot be read"):
        read("mine", tmp_path)
