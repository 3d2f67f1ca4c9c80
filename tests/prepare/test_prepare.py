"""`train.prepare` from folders to a cases folder: repeats, errors, copies, classes, and worker processes."""

import functools
import io
import json
import os
from pathlib import Path

import pytest
from PIL import Image

from dermnote.errors import CasesError
from tests.places import REAL_DATA
from tests.prepare.dataset_trees import noisy, rows_of, table
from train import prepare
from train.data.cases import Cases
from train.data.collection import classify
from train.data.image_preparation import prepare_all
from train.data.sources import RawCase

LABELS = ("nevus", "melanoma", "basal cell carcinoma")


def clinic(folder: Path, count: int = 30, **columns) -> Path:
    """Write a folder of `count` images, two of each patient."""
    rows = []
    for index in range(count):
        noisy(folder / f"{index}.jpg", index)
        row = {
            "file_name": f"{index}.jpg",
            "label": LABELS[index // 2 % 3],
            "patient_id": index // 2,
            "age": 30 + index,
        }
        rows.append(row | {key: value(index) for key, value in columns.items()})
    table(folder / "metadata.csv", *rows)
    return folder


def make(out: Path, *args: str) -> Cases:
    assert prepare.main([*args, "--out", str(out), "--workers", "1"]) == 0
    return Cases.read(out)


def test_from_a_folder_to_cases(tmp_path, capsys):
    cases = make(tmp_path / "cases", f"clinic={clinic(tmp_path / 'clinic')}")
    table = cases.table
    assert len(cases) == 30
    assert set(table["split"]) == {"train", "validation", "test"}
    assert (table.groupby("group")["split"].nunique() == 1).all()
    assert (table.groupby("group").size() == 2).all()
    first = table.set_index("case_id").loc["clinic/0.jpg"]
    assert (first["label"], first["class_id"]) == ("melanocytic nevus", 2)
    assert (first["malignancy"], first["age"], first["modality"]) == ("benign", 30, "clinical")
    assert (first["crop"], first["group"]) == ("whole", "clinic/0")
    assert all(Image.open(io.BytesIO(data)).size == (341, 256) for data in cases.images)
    assert cases.classnames[2] == "melanocytic nevus"
    printed = capsys.readouterr().out
    for words in ("clinic: read 30, kept 30 in 15 groups", "images a second", "never for a diagnosis"):
        assert words in printed
    assert "python -m train.generate_notes --cases" in printed
    names = sorted(path.name for path in (tmp_path / "cases").iterdir())
    assert names == ["README.md", "data", "rejected.csv", "summary.json"]


def test_the_same_inputs_again_do_nothing_and_others_do(tmp_path, capsys):
    folder, out = clinic(tmp_path / "clinic"), tmp_path / "cases"
    make(out, f"clinic={folder}", "drawn=1")

    def again(*more: str, drawn: str = "drawn=1") -> bool:
        before = (out / "summary.json").stat().st_mtime_ns
        make(out, f"clinic={folder}", drawn, *more)
        return (out / "summary.json").stat().st_mtime_ns != before

    assert not again()
    assert "nothing to do" in capsys.readouterr().out
    assert again(drawn="drawn=1,seed=1")
    assert again("--seed", "1")
    assert not again("--seed", "1")
    noisy(folder / "3.jpg", 999)
    assert again("--seed", "1")  # an image changed
    changed = rows_of(folder / "metadata.csv")
    changed[0]["age"] = 77
    table(folder / "metadata.csv", *changed)
    assert again("--seed", "1")  # a row changed
    assert again("--seed", "1", "--force")
    data = next((out / "data").glob("train-*"))
    data.write_bytes(data.read_bytes()[:-10])
    assert again("--seed", "1")  # the output is damaged
    next((out / "data").glob("test-*")).unlink()
    assert again("--seed", "1")


def test_one_bad_file_never_stops_a_run(tmp_path, capsys):
    folder = clinic(tmp_path / "clinic")
    (folder / "0.jpg").write_bytes(b"")
    (folder / "1.jpg").write_bytes(b"this is a text")
    whole = (folder / "2.jpg").read_bytes()
    (folder / "2.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "3.jpg").unlink()
    Image.new("RGB", (300, 300)).save(folder / "4.jpg")
    rows = rows_of(folder / "metadata.csv")
    table(folder / "metadata.csv", *rows, rows[5], {"file_name": "../../etc/passwd", "label": "nevus"})
    cases = make(tmp_path / "cases", f"clinic={folder}", "--max-pixels", "50000")
    assert len(cases) == 25
    rejected = {row["file"]: (row["row"], row["reason"]) for row in rows_of(tmp_path / "cases" / "rejected.csv")}
    assert rejected["0.jpg"] == ("2", "0.jpg is empty.")
    assert rejected["3.jpg"] == ("5", "the image is missing")
    reasons = {"1.jpg": "not a picture", "2.jpg": "damaged", "4.jpg": "50,000 pixels", "clinic/5.jpg": "twice"}
    for file, words in (reasons | {"../../etc/passwd": "out of the folder"}).items():
        assert words in rejected[file][1]
    assert cases.summary["rejected"] == 7
    assert "rejected    7: " in capsys.readouterr().out


def test_schemes_of_classes(tmp_path, capsys):
    folder = clinic(tmp_path / "clinic", label=lambda i: ("psoriasis", "", "blue nevus")[i % 3])
    own, five, eight = (
        make(tmp_path / each, f"clinic={folder}", "--classes", each) for each in ("own", "five", "eight")
    )
    assert own.classnames == ("blue nevus", "psoriasis")
    fibroma = RawCase("s/1", "s", "clinical", Path("a"), group="s/1", label="dermatofibroma")
    assert "not among the five" in classify(fibroma, "five").reason
    assert {own.classnames[row.class_id] == row.label for row in own.table.itertuples()} == {True}
    assert set(own.table.loc[own.table["label"] == "blue nevus", "malignancy"]) == {"benign"}
    assert (len(five.classnames), set(five.table["label"])) == (5, {"melanocytic nevus"})
    assert set(five.table["subtype"]) == {"blue nevus"}
    assert eight.summary["left_out"] == {"no class for 'psoriasis'": 10, "no label": 10}
    assert "10 no class for 'psoriasis'" in capsys.readouterr().out


def test_external_source_and_copies(tmp_path):
    inner, outer = clinic(tmp_path / "inner"), clinic(tmp_path / "outer")
    for index in range(5, 30):
        noisy(outer / f"{index}.jpg", 1000 + index)  # 0 to 4 stay copies of the inner ones
    cases = make(tmp_path / "cases", f"inner={inner}", f"outer={outer}", "--external", "outer")
    splits = cases.table.groupby("source")["split"].unique()
    assert list(splits["outer"]) == ["external"]
    assert "external" not in splits["inner"]
    assert (cases.table.groupby("content_sha256")["split"].nunique() == 1).all()
    # The copies, and the one other image of a patient who is in both.
    assert cases.summary["left_out"] == {"its group or an identical image is in the external split": 6}


def test_identical_pixels_in_different_files_stay_together(tmp_path):
    folder = clinic(tmp_path / "clinic", 30, patient_id=lambda i: i, label=lambda i: "nevus")
    for index in range(0, 30, 2):
        with Image.open(folder / f"{index}.jpg") as image:
            image.load()
        image.save(folder / f"{index}.png")
        image.save(folder / f"{index + 1}.png", optimize=True, compress_level=1)
    rows = rows_of(folder / "metadata.csv")
    table(folder / "metadata.csv", *(row | {"file_name": row["file_name"].replace("jpg", "png")} for row in rows))
    found = make(tmp_path / "cases", f"clinic={folder}").table
    assert found["content_sha256"].nunique() == 15
    assert (found.groupby("content_sha256")[["split", "group"]].nunique() == 1).all(axis=None)


def test_an_unknown_modality_is_reported_as_assumed(tmp_path, capsys):
    folder = clinic(tmp_path / "clinic", modality=lambda i: "clinical" if i < 6 else None)
    cases = make(tmp_path / "cases", f"clinic={folder}")
    assert set(cases.table["modality"]) == {"clinical"} and set(cases.summary["crops"]) == {"whole"}
    assert cases.summary["sources"]["clinic"]["modality_assumed"] == 24
    assert "24 have no modality: taken as clinical photos, not cropped" in capsys.readouterr().out
    given = make(tmp_path / "cases", f"clinic={folder}", "--modality", "dermoscopy")
    assert given.table["modality"].value_counts().to_dict() == {"dermoscopy": 24, "clinical": 6}
    assert given.summary["crops"]["whole"] == 6 and given.summary["sources"]["clinic"]["modality_assumed"] == 0
    assert "no modality" not in capsys.readouterr().out


def test_official_split_box_and_the_order_of_rows(tmp_path):
    box = {"x0": lambda i: 10, "y0": lambda i: 5, "x1": lambda i: 50, "y1": lambda i: 45}
    folder = clinic(tmp_path / "clinic", split=lambda i: "test" if i >= 20 else "train", **box)
    one = make(tmp_path / "one", f"clinic={folder}").table.set_index("case_id")
    assert set(one.index[one["split"] == "test"]) == {f"clinic/{i}.jpg" for i in range(20, 30)}
    assert "validation" in set(one["split"])
    assert set(one["crop"]) == {"box"}
    table(folder / "metadata.csv", *rows_of(folder / "metadata.csv")[::-1])
    two = make(tmp_path / "two", f"clinic={folder}").table.set_index("case_id")
    assert one["split"].to_dict() == two["split"].to_dict()


@pytest.mark.parametrize(
    "args, words",
    [
        (["nonsense"], "not NAME=PATH"),
        (["a=gone"], "is not there"),
        (["a=HERE", "a=HERE"], "given twice"),
        (["a=HERE", "--external", "b"], "not among the sources"),
        (["a=HERE", "--workers", "0"], "at least 1"),
        (["milk10k=HERE"], "has no column isic_id, lesion_id, image_type"),
    ],
)
def test_wrong_use_is_one_line(tmp_path, args, words):
    here = str(clinic(tmp_path / "clinic", 4))
    with pytest.raises(CasesError, match=words):
        prepare.main([arg.replace("HERE", here) for arg in args] + ["--out", str(tmp_path / "cases")])
    assert not (tmp_path / "cases").exists()


def test_the_users_own_folder_is_never_replaced(tmp_path):
    folder = clinic(tmp_path / "clinic", 4)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("years of work")
    for out in ("thesis", "clinic", "clinic/0.jpg"):
        with pytest.raises(CasesError):
            prepare.main([f"clinic={folder}", "--out", str(tmp_path / out)])
    assert (tmp_path / "thesis" / "chapter1.txt").read_text() == "years of work"
    assert (folder / "0.jpg").is_file()


def test_no_case_left_is_an_error_and_keeps_the_old_folder(tmp_path):
    folder = clinic(tmp_path / "clinic")
    make(tmp_path / "cases", f"clinic={folder}")
    before = json.loads((tmp_path / "cases" / "summary.json").read_text())
    for path in folder.glob("*.jpg"):
        path.write_bytes(b"broken")
    with pytest.raises(CasesError, match="No case is left"):
        prepare.main([f"clinic={folder}", "--out", str(tmp_path / "cases")])
    assert json.loads((tmp_path / "cases" / "summary.json").read_text()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cases", "clinic"]


def drawing(shade: int) -> Image.Image:
    if shade == 7:
        raise RuntimeError("out of ink")
    return Image.new("RGB", (64, 64), (shade, shade, shade))


def killed() -> Image.Image:
    os._exit(9)


def raw(image) -> RawCase:
    return RawCase("s/1", "s", "clinical", image, group="s/1")


@pytest.mark.slow
def test_worker_processes_keep_the_order_and_survive_errors():
    cases = [raw(functools.partial(drawing, shade)) for shade in range(100)]
    alone = list(prepare_all(cases, workers=1, max_pixels=10_000))
    assert list(prepare_all(cases, workers=2, max_pixels=10_000)) == alone
    assert [each.error for each in alone if each.error] == ["RuntimeError: out of ink"]
    assert len({each.pixels_sha256 for each in alone if not each.error}) == 99
    with pytest.raises(CasesError, match="killed"):
        list(prepare_all([raw(killed)] * 64, workers=2, max_pixels=10_000))


@pytest.mark.slow
@pytest.mark.real_data
def test_the_real_traps_of_pad_ufes_20(tmp_path):
    """Two byte-identical pairs have different labels; no other column gives a label away."""
    cases = make(tmp_path / "cases", f"pad_ufes_20={REAL_DATA / 'pad_ufes_20'}")
    gone = {"PAT_419_2767_323", "PAT_419_833_148", "PAT_759_1433_914", "PAT_759_1538_566"}
    assert not {f"pad_ufes_20/{name}" for name in gone} & set(cases.table["case_id"])
    assert cases.summary["left_out"]["an identical image has another label"] == 4
    assert cases.table["sex"].isna().all() and cases.table["skin_type"].isna().all()
    assert cases.table["age"].notna().all()
    assert not any("biops" in name for name in cases.table.columns)
    assert (cases.table.groupby("group")["split"].nunique() == 1).all()
