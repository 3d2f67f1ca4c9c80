import json
import re
import shutil
from dataclasses import replace
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from dermnote.config import DermNoteConfig
from dermnote.encoders import ImageEncoder, TextEncoder
from dermnote.errors import BundleError, CasesError, NotesError
from dermnote.model import DermNoteModel
from dermnote.notes.schema import Note, NoteRow, write_notes
from dermnote.taxonomy import EIGHT
from train import evaluate
from train.cases import Cases
from train.config import TextConfig, TrainConfig
from train.evaluating.embedded import AS_WRITTEN, MASKED, Embedded, known_to, note_versions
from train.evaluating.measure import Bootstrap, block, search
from train.evaluating.report import blocks
from train.run import Run

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


def test_a_whole_evaluation_writes_figures_report_and_picture(folders, tmp_path, capsys):
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
    parts = [got["splits"]["test"][name]["n_cases"] for name in ("one", "two")]
    assert sum(parts) == 32
    report = (tmp_path / "run" / "report.md").read_text()
    assert report.index("diagnosis masked") < report.index("as written") < report.index("Classification")
    assert "never a diagnosis" in report and not re.search(r"\bNone\b|\bnan\b", report)
    assert Image.open(tmp_path / "run" / "confusion.png").width > 300
    said = capsys.readouterr().out
    assert "mAP masked" in said and "next: python -m train.build_index --run" in said


def test_the_same_seed_gives_the_same_figures(folders, tmp_path):
    texts = []
    for _ in range(2):
        evaluate.main([*folders, "--bootstrap", "20", "--device", "cpu"])
        texts.append((tmp_path / "run" / "metrics.json").read_text())
    assert texts[0] == texts[1]


def test_an_image_only_run_and_missing_notes_measure_classes_alone(folders, tmp_path, capsys):
    evaluate.main([*folders[:4], "--bootstrap", "20"])
    assert "no --notes were given" in capsys.readouterr().out
    make_run(tmp_path / "run", [])
    evaluate.main([*folders, "--bootstrap", "20"])
    assert "reads pictures only" in capsys.readouterr().out
    got = strict(tmp_path / "run" / "metrics.json")
    assert got["strategy"] is None and got["splits"]["test"]["all"]["retrieval"] is None
    assert got["splits"]["test"]["all"]["classification"]["accuracy"] is not None
    assert "Classification only" in (tmp_path / "run" / "report.md").read_text()


def test_the_authors_pool_takes_every_case_as_gallery(folders, tmp_path):
    chance = []
    for pool in ("split", "all"):
        evaluate.main([*folders, "--bootstrap", "20", "--pool", pool])
        found = strict(tmp_path / "run" / "metrics.json")["splits"]["test"]["all"]["retrieval"]
        assert found["n_queries"] == 31
        chance.append(found["masked"]["text_to_image"]["chance"])
    assert chance[0] > chance[1] > 0.125  # the expected precision of an order that knows nothing sinks to the share


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
    with pytest.raises(CasesError, match="No case has a class this run knows"):
        known_to(alien, cases)


def made_up(text):
    """32 cases of four classes whose picture vectors are their class, with the given note vectors."""
    labels = np.arange(32) % 4
    table = pd.DataFrame(
        {
            "case_id": [str(i) for i in range(32)],
            "group": [str(i // 2) for i in range(32)],
            "source": np.where(labels < 2, "low", "high"),
        }
    )
    eye = np.eye(4, dtype=np.float32)
    words = np.array(["x"] * 32, dtype=object)
    notes = {MASKED: text, AS_WRITTEN: eye[labels]}
    return Embedded(table, labels, eye[labels], 9 * eye[labels], np.ones(32, bool), notes, dict.fromkeys(notes, words))


def figures(cases, rows=slice(None), gallery=None):
    mask = np.zeros(32, bool)
    mask[rows] = True
    found = search(cases, gallery or cases)
    return block(cases, mask, found, temperature=1.0, classnames=["a", "b", "c", "d"], bootstrap=Bootstrap(50))


def test_masked_notes_that_are_all_alike_are_at_chance_and_written_ones_at_one():
    alike = np.tile(np.array([[0.5, 0.5, 0.5, 0.5]], dtype=np.float32), (32, 1))
    got = figures(made_up(alike))
    for way in ("image_to_text", "text_to_image"):
        assert got["retrieval"]["masked"][way]["map"] == pytest.approx(got["retrieval"]["masked"][way]["chance"])
        assert got["retrieval"]["masked"][way]["recall_of_own"]["1"] == pytest.approx(1 / 32)
        assert got["retrieval"]["as_written"][way]["map"] == 1.0
        assert got["retrieval"]["as_written"][way]["recall_of_own"]["10"] == 1.0  # eight of a class tie for the first
    assert got["alignment"]["masked"]["paired_cosine"] == pytest.approx(got["alignment"]["masked"]["random_pairs"])
    assert got["alignment"]["as_written"]["paired_cosine"] == 1.0 > got["alignment"]["as_written"]["random_pairs"]
    assert got["classification"]["kappa"] == 1.0 and got["n_groups"] == 16


def test_a_source_searches_the_gallery_of_the_whole_split():
    noise = np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32)
    cases = made_up(noise / np.linalg.norm(noise, axis=1, keepdims=True))
    low = cases.table["source"].to_numpy() == "low"
    part = figures(cases, rows=low)["retrieval"]
    own = search(cases, cases)[MASKED]["image_to_text"].result.average_precision[low]
    alone = search(cases.select(low), cases.select(low))[MASKED]["image_to_text"].result.average_precision
    assert part["n_queries"] == 16
    assert part["masked"]["image_to_text"]["map"] == pytest.approx(own.mean())
    assert own.mean() < alone.mean()  # half as many other cases to be mistaken for


def test_cases_without_a_note_neither_ask_nor_answer():
    cases = made_up(np.eye(4, dtype=np.float32)[np.arange(32) % 4])
    noted = np.arange(32) >= 8
    cases = replace(cases, noted=noted)
    got = figures(cases)
    assert (got["retrieval"]["n_queries"], got["retrieval"]["without_note"]) == (24, 8)
    assert figures(cases, rows=slice(8))["retrieval"] is None
    assert figures(replace(cases, noted=np.zeros(32, bool)))["retrieval"] is None


def test_notes_are_masked_with_the_cases_own_words_too(cases):
    notes = {row: f"A {NAMES[int(row.split('/')[1]) % 8]} of the glomus kind." for row in cases.table["case_id"]}
    versions = note_versions(cases, notes, NAMES)
    assert versions[AS_WRITTEN][3] == "A vascular lesion of the glomus kind."
    assert versions[MASKED][3] == "A [masked] of the [masked]." or versions[MASKED][3] == "A [masked]."
    assert versions[MASKED][0] == "A [masked] of the glomus kind."


def test_a_real_run_is_measured(run_folder, cases_folder, notes_file, capsys):
    words = ["--run", str(run_folder), "--cases", str(cases_folder), "--notes", str(notes_file), "--bootstrap", "50"]
    assert evaluate.main(words) == 0
    whole = strict(run_folder / "metrics.json")["splits"]["test"]["all"]
    assert whole["n_cases"] >= 16 and whole["retrieval"]["without_note"] == 0
    assert 0 < whole["retrieval"]["masked"]["text_to_image"]["map"] <= 1


def test_no_row_is_pooled_over_drawings_and_photographs():
    rows = {"test": {"all": 1, "milk10k": 2, "drawn": 3}, "external": {"all": 4, "drawn": 5}}
    assert [told[:2] for told in blocks({"splits": rows})] == [
        ("test", "milk10k"),
        ("test", "drawn"),
        ("external", "all"),
    ]
    photographs = {"test": {"all": 1, "milk10k": 2, "ham10000": 3}}
    assert [source for _, source, _ in blocks({"splits": photographs})] == ["all", "milk10k", "ham10000"]
