"""The whole of `train.evaluate` on a run."""

import json
import re
import shutil
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from dermnote.config import DermNoteConfig
from dermnote.errors import BundleError, CasesError, NotesError
from dermnote.models.image_encoder import ImageEncoder
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.text_encoder import TextEncoder
from dermnote.notes.schema import Note, NoteRow, write_notes
from dermnote.taxonomy import EIGHT
from train import evaluate
from train.data.cases import Cases
from train.evaluation.embedded_cases import AS_WRITTEN, MASKED, known_to, note_versions
from train.training.run_folder import Run
from train.training.train_config import TextConfig, TrainConfig

NAMES = tuple(each.name for each in EIGHT)
COUNT = 48


def case_table():
    labels = [NAMES[i % 8] for i in range(COUNT)]
    return pd.DataFrame(
        {
            "case_id": [f"flat/{i}" for i in range(COUNT)],
            "source": ["one" if i % 3 else "two" for i in range(COUNT)],
            "label": labels,
            "subtype": ["Glomus kind" if i % 8 == 3 else None for i in range(COUNT)],
            "group": [f"p{i // 2}" for i in range(COUNT)],
            "split": ["test" if i < 32 else "validation" if i < 40 else "train" for i in range(COUNT)],
            "sex": [("female", "male", None)[i % 3] for i in range(COUNT)],
            "age": [float("nan") if i % 5 == 0 else 20.0 + i for i in range(COUNT)],
            "modality": "dermoscopy",
        }
    )


def jpeg(i):
    stream = BytesIO()
    Image.new("RGB", (40, 40), (80 + 20 * (i % 8), 90, 60 + i)).save(stream, "JPEG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def cases():
    return Cases(case_table(), [jpeg(i) for i in range(COUNT)], NAMES, {})


@pytest.fixture
def folders(tmp_path, monkeypatch, cases):
    """An untrained run, a notes file that lacks one note, and a cases folder that reads as `cases`."""

    def read(folder, *, splits):
        return cases.select(cases.table["split"].isin(splits).to_numpy())

    monkeypatch.setattr(Cases, "read", read)
    rows = [
        NoteRow(case_id, Note(f"A {label}, brown with {i} dots.", "m"))
        for i, (case_id, label) in enumerate(zip(cases.table["case_id"], cases.table["label"], strict=True))
    ]
    write_notes(tmp_path / "notes.jsonl", rows[1:])
    make_run(tmp_path / "run", [row.note.text for row in rows])
    return ["--run", str(tmp_path / "run"), "--cases", "cases", "--notes", str(tmp_path / "notes.jsonl")]


def make_run(folder, texts, classnames=NAMES):
    torch.manual_seed(0)
    text = TextEncoder.from_scratch(texts, hidden_size=16, layers=1, max_length=32) if texts else None
    model = DermNoteModel(ImageEncoder("mobilenet_v3_small", image_size=32), text, len(classnames), embed_dim=16)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    model.save_pretrained(folder / "best", DermNoteConfig(classnames, 16, strategies=("m",) if texts else ()))
    config = TrainConfig(multimodal=bool(texts), text_config=TextConfig() if texts else None, text_layers="all", seed=7)
    (folder / "config.yaml").write_text(config.to_yaml())


def strict(path):
    """metrics.json as strict JSON: NaN is not JSON, and a card or a browser cannot read it."""

    def refuse(name):
        raise AssertionError(f"{name} in {path}")

    return json.loads(path.read_text(), parse_constant=refuse)


@pytest.mark.slow
def test_a_whole_evaluation_writes_all_files(folders, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert evaluate.main([*folders, "--bootstrap", "50"]) == 0
    got = strict(tmp_path / "run" / "metrics.json")
    assert (got["strategy"], got["seed"], got["left_out"]) == ("m", 7, 0)
    assert got["command"].startswith("python -m train.evaluate --run") and got["versions"]["torch"]
    assert list(got["splits"]) == ["test"] and list(got["splits"]["test"]) == ["all", "one", "two"]
    whole = got["splits"]["test"]["all"]
    assert (whole["n_cases"], whole["n_groups"]) == (32, 16)
    assert (whole["retrieval"]["n_queries"], whole["retrieval"]["without_note"]) == (31, 1)
    assert set(whole["retrieval"]["masked"]) == {"image_to_text", "text_to_image"}
    low, high = whole["retrieval"]["masked"]["image_to_text"]["ci"]
    assert low <= whole["retrieval"]["masked"]["image_to_text"]["map"] <= high
    assert sum(got["splits"]["test"][name]["n_cases"] for name in ("one", "two")) == 32
    held_out, pool = whole["retrieval"], whole["retrieval_all"]
    assert (held_out["n_gallery"], pool["n_queries"], pool["n_gallery"]) == (31, 31, 47)
    chance = [found["masked"]["text_to_image"]["chance"] for found in (held_out, pool)]
    assert chance[0] > chance[1] > 0.125  # precision of a random order approaches the share of the class
    report = (tmp_path / "run" / "report.md").read_text()
    assert report.index("diagnosis masked") < report.index("as written") < report.index("Classification")
    assert "never a diagnosis" in report and not re.search(r"\bNone\b|\bnan\b", report)
    for name in ("confusion.png", "reliability.png"):
        assert Image.open(tmp_path / "run" / name).width > 300 and f"({name})" in report
    out = capsys.readouterr().out
    assert "masked i>n" in out and "next: python -m train.build_index --run" in out
    first = (tmp_path / "run" / "metrics.json").read_text()
    evaluate.main([*folders, "--bootstrap", "50"])
    assert (tmp_path / "run" / "metrics.json").read_text() == first  # the same seed gives the same figures


@pytest.mark.slow
def test_an_image_only_run_and_missing_notes_measure_classes_alone(folders, tmp_path, capsys):
    evaluate.main([*folders[:4], "--bootstrap", "20"])
    assert "no --notes were given" in capsys.readouterr().out
    make_run(tmp_path / "run", [])
    evaluate.main([*folders, "--bootstrap", "20"])
    assert "reads images only" in capsys.readouterr().out
    got = strict(tmp_path / "run" / "metrics.json")
    assert got["strategy"] is None and got["splits"]["test"]["all"]["retrieval"] is None
    assert got["splits"]["test"]["all"]["classification"]["accuracy"] is not None
    assert "Classification only" in (tmp_path / "run" / "report.md").read_text()


def test_quick_reads_the_measured_splits_alone(folders, tmp_path, monkeypatch):
    requested, read = [], Cases.read

    def reading(folder, *, splits):
        requested.append(tuple(splits))
        return read(folder, splits=splits)

    monkeypatch.setattr(Cases, "read", reading)
    evaluate.main([*folders, "--bootstrap", "20", "--quick", "--splits", "validation"])
    assert requested == [("validation",)]
    got = strict(tmp_path / "run" / "metrics.json")
    whole = got["splits"]["validation"]["all"]
    assert got["quick"] and whole["n_cases"] == 8 and whole["retrieval"] and whole["zero_shot"]
    assert whole["retrieval_all"] is None and whole["linear_probe"] is None
    assert whole["selective"]["confidence"] and not whole["selective"]["distance"] and not whole["selective"]["far"]
    assert "Linear probe" not in (tmp_path / "run" / "report.md").read_text()


@pytest.mark.slow
def test_every_section_is_measured_and_reported(folders, tmp_path):
    evaluate.main([*folders, "--bootstrap", "20", "--splits", "validation", "test"])
    got = strict(tmp_path / "run" / "metrics.json")
    whole = got["splits"]["test"]["all"]
    assert set(whole["zero_shot"]["prompts"]) == set(NAMES)
    probes = whole["linear_probe"]
    assert {share: each["n_groups"] for share, each in probes.items()} == {"1": 1, "10": 1, "100": 4}
    assert probes["100"]["classes_absent"] == [] and len(probes["1"]["classes_absent"]) == 6
    assert whole["retrieval"]["masked"]["image_to_text"]["by_subtype"]["n_queries"] == 4
    assert 1 <= whole["retrieval"]["masked"]["image_to_text"]["median_rank_of_own"] <= 31
    assert whole["groups"]["sex"]["values"]["female"] == {"n_cases": 11, "n_groups": 11, "too_few": True}
    all_alike = whole["groups"]["modality"]["values"]["dermoscopy"]
    assert all_alike["kappa"] == pytest.approx(whole["classification"]["kappa"])
    for way, searched in whole["retrieval"]["masked"].items():
        assert all_alike[f"map_{way}"] == pytest.approx(searched["map"])
        assert all_alike["ci"][f"map_{way}"] == pytest.approx(searched["ci"])
    assert all_alike["paired_cosine"] == pytest.approx(whole["alignment"]["masked"]["paired_cosine"])
    far = whole["selective"]["far"]
    nearby = got["splits"]["validation"]["all"]["selective"]["far"]
    assert far["threshold"] == nearby["threshold"] and nearby["n_flagged"] <= 1  # 5% of eight, rounded up
    report = (tmp_path / "run" / "report.md").read_text()
    for heading in ("Zero-shot", "Linear probe", "Leaving out doubtful cases", "Groups", "Alignment", "Calibration"):
        assert f"## {heading}" in report
    assert "Melanoma: a cancer of pigment cells." in report and "fewer than 20 each" in report


def test_predictions_hold_what_the_figures_are_made_of(folders, tmp_path):
    evaluate.main([*folders, "--bootstrap", "20"])
    whole = strict(tmp_path / "run" / "metrics.json")["splits"]["test"]["all"]
    table = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    assert len(table) == 32 and set(table["split"]) == {"test"} and table["case_id"].is_unique
    assert (table["label_id"] == table["predicted"]).mean() == pytest.approx(whole["classification"]["accuracy"])
    p = np.stack(table["probabilities"])
    assert (p.argmax(axis=1) == table["predicted"]).all() and np.allclose(p.sum(axis=1), 1)
    assert np.stack(table["logits"]).shape == (32, 8) and table["distance"].notna().all()
    for version in (MASKED, AS_WRITTEN):
        assert table[f"paired_cosine_{version}"].mean() == pytest.approx(whole["alignment"][version]["paired_cosine"])
        for way in ("image_to_text", "text_to_image"):
            precision = table[f"average_precision_{version}_{way}"]
            assert precision.notna().sum() == 31
            assert precision.mean() == pytest.approx(whole["retrieval"][version][way]["map"])


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        (["--splits", "external"], CasesError, "has no cases in external"),
        (["--strategy", "p3"], NotesError, "has no 'p3' note for any of the 32 cases"),
        (["--strategy", "p9"], NotesError, "Unknown note strategy"),
        (["--run", "nowhere"], BundleError, "holds no training run"),
        (["--notes", "none.jsonl"], NotesError, "There is no notes file"),
    ],
)
def test_mistakes_are_one_clear_line(folders, more, error, words):
    with pytest.raises(error, match=words):
        evaluate.main([*folders, *more])


def test_classes_are_matched_by_name_and_unknown_ones_left_out(folders, tmp_path, cases):
    make_run(tmp_path / "run", ["A dot."], classnames=("melanoma", "melanocytic nevus"))
    evaluate.main([*folders, "--bootstrap", "20"])
    got = strict(tmp_path / "run" / "metrics.json")
    assert got["left_out"] == 24 and got["splits"]["test"]["all"]["n_cases"] == 8
    assert got["splits"]["test"]["all"]["classification"]["support"] == {"melanoma": 4, "melanocytic nevus": 4}
    alien = Run(None, DermNoteConfig(("wart",)), TrainConfig(multimodal=False), tmp_path)
    with pytest.raises(CasesError, match="No case has a class this model knows"):
        known_to(alien, cases)


def test_notes_are_masked_with_the_cases_own_words_too(cases):
    notes = {row: f"A {NAMES[int(row.split('/')[1]) % 8]} of the glomus kind." for row in cases.table["case_id"]}
    versions = note_versions(cases, notes, NAMES)
    assert versions[AS_WRITTEN][3] == "A vascular lesion of the glomus kind."
    assert versions[MASKED][3] == "A [masked] of the [masked]." or versions[MASKED][3] == "A [masked]."
    assert versions[MASKED][0] == "A [masked] of the glomus kind."
