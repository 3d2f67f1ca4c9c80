"""Measurements on embeddings made by hand."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from train.evaluation.embedded_cases import AS_WRITTEN, MASKED, Bootstrap, Embedded, Prompts, Setting, prompts_of
from train.evaluation.measure import Gallery, block, measure_split
from train.evaluation.novelty import fit_probes, novelty_of_run
from train.evaluation.retrieval import search
from train.evaluation.subgroups import attributes


def made_up(text):
    """32 cases of four classes whose image embeddings are their class, with the given note vectors."""
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


LETTERS = Setting(("a", "b", "c", "d"), bootstrap=Bootstrap(50))


def figures(cases, rows=slice(None)):
    mask = np.zeros(32, bool)
    mask[rows] = True
    return block(cases, mask, Gallery.searched(cases, cases), None, LETTERS)


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


def test_cases_without_a_note_are_neither_queries_nor_results():
    cases = made_up(np.eye(4, dtype=np.float32)[np.arange(32) % 4])
    noted = np.arange(32) >= 8
    cases = replace(cases, noted=noted)
    got = figures(cases)
    assert (got["retrieval"]["n_queries"], got["retrieval"]["without_note"]) == (24, 8)
    assert figures(cases, rows=slice(8))["retrieval"] is None
    assert figures(replace(cases, noted=np.zeros(32, bool)))["retrieval"] is None


def mixed():
    """Two kinds of photographs and drawn lesions, whose drawn vectors lie beside those of the photographs."""
    noise = np.random.default_rng(1).normal(size=(32, 4)).astype(np.float32)
    cases = made_up(noise / np.linalg.norm(noise, axis=1, keepdims=True))
    source = np.array(["one", "one", "two", "drawn"])[np.arange(32) // 4 % 4]
    return replace(cases, table=cases.table.assign(source=source, split="test", subtype=None))


def test_photographs_and_drawn_lesions_are_measured_apart():
    cases = mixed()
    got, table = measure_split(cases, "test", LETTERS)
    assert list(got) == ["all", "drawn", "one", "two"]
    assert got["all"]["sources"] == ["one", "two"] and got["all"]["n_cases"] == 24 and len(table) == 32
    assert [got[name]["retrieval"]["n_gallery"] for name in got] == [24, 8, 24, 24]
    drawn = (cases.table["source"] == "drawn").to_numpy()
    alone, _ = measure_split(cases.select(drawn), "test", LETTERS)
    assert list(alone) == ["all", "drawn"] and alone["drawn"] is alone["all"]
    assert alone["drawn"]["retrieval"] == got["drawn"]["retrieval"] == alone["drawn"]["retrieval_all"]
    photographs, _ = measure_split(cases.select(~drawn), "test", LETTERS)
    assert photographs["all"]["retrieval"] == got["all"]["retrieval"]


def test_a_subtype_is_relevant_within_its_class_alone():
    """Three of class a are of subtype x, as are two of class b; the rest have none."""
    cases = made_up(np.eye(4, dtype=np.float32)[np.arange(32) % 4])
    subtype = np.full(32, None, dtype=object)
    subtype[[0, 4, 8, 1, 5]] = "x"
    cases = replace(cases, table=cases.table.assign(subtype=subtype))
    way = figures(cases)["retrieval"]["as_written"]["image_to_text"]
    assert way["by_subtype"]["n_queries"] == 5
    # Each image finds the eight notes of its class first, all tied, and of those three (two) are of its subtype.
    assert way["by_subtype"]["map"] == pytest.approx((3 * expected_precision(3) + 2 * expected_precision(2)) / 5)
    assert figures(cases, rows=slice(9, 32))["retrieval"]["as_written"]["image_to_text"]["by_subtype"] is None


def expected_precision(relevant, size=8):
    """Mean average precision over all places of the relevant among tied items."""
    found = [np.mean(np.arange(1, relevant + 1) / places) for places in combinations(range(1, size + 1), relevant)]
    return np.mean(found)


def test_zero_shot_takes_the_nearest_description():
    cases = made_up(np.eye(4, dtype=np.float32)[np.arange(32) % 4])
    prompts = Prompts({name: f"{name}." for name in "abcd"}, np.eye(4, dtype=np.float32)[[0, 1, 3, 2]])
    setting = replace(LETTERS, prompts=prompts)
    whole = np.ones(32, bool)
    found = block(cases, whole, Gallery.searched(cases, cases), None, setting)["zero_shot"]
    assert found["prompts"] == {"a": "a.", "b": "b.", "c": "c.", "d": "d."}
    assert found["balanced_accuracy"] == 0.5  # c and d are taken for each other
    assert figures(cases)["zero_shot"] is None


def test_a_prompt_describes_a_class_and_names_one_it_does_not_know():
    assert prompts_of(("melanoma", "wart")) == {"melanoma": "Melanoma: a cancer of pigment cells.", "wart": "Wart."}


def test_far_images_are_flagged_by_the_validation_cases_of_their_own_kind():
    cases = mixed()
    split = np.array(["train", "validation", "test", "test"])[np.arange(32) % 4]
    cases = replace(cases, table=cases.table.assign(split=split), labels=np.arange(32) // 8)
    found = novelty_of_run(cases, seed=0)
    whole, far = found.whole, found.far
    known = cases.image[split == "train"]
    expected = [np.mean(sorted(1 - known @ each)[:5]) for each in cases.image[split != "train"]]
    np.testing.assert_allclose(whole.distance[split != "train"], expected, atol=1e-6)
    assert np.isnan(whole.distance[split == "train"]).all()
    drawn = (cases.table["source"] == "drawn").to_numpy()
    for kind in (False, True):
        of_kind = whole.distance[(split == "validation") & (drawn == kind)]
        assert far[kind] == pytest.approx(np.quantile(of_kind, 0.95))
    assert found.known.novelty(cases.image[split == "test"][0]).threshold == pytest.approx(far[False])
    alone = novelty_of_run(cases.select(split == "test"), seed=0)
    assert (alone.far, alone.known, alone.whole.distance) == ({}, None, None)


def test_linear_probes_learn_from_training_cases_alone():
    split = np.array(["train", "validation", "test", "test"])[np.arange(32) // 4 % 4]
    cases = made_up(np.eye(4, dtype=np.float32)[np.arange(32) % 4])
    cases = replace(cases, table=cases.table.assign(split=split))
    probed, shares = fit_probes(cases, ("a", "b", "c", "d"), seed=0)
    assert shares["100"].n_train == 8 and np.isnan(probed.probes["100"][split == "train"]).all()
    assert (probed.probes["100"].argmax(axis=1) == cases.labels)[split != "train"].all()
    assert fit_probes(cases.select(split == "test"), ("a", "b", "c", "d"), 0)[1] == {}


def test_two_scales_of_skin_tone_are_never_set_side_by_side():
    table = pd.DataFrame({"skin_type": ["Fitzpatrick II", "MILK10k tone 4 (0 darkest to 5)", None], "sex": None})
    assert dict(attributes(table)) == {
        "skin_tone, Fitzpatrick": ["Fitzpatrick II", None, None],
        "skin_tone, MILK10k tone": [None, "MILK10k tone 4 (0 darkest to 5)", None],
    }
    assert list(dict(attributes(table[:1]))) == ["skin_tone"]
