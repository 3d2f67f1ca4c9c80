"""Drawn lesions: reproducible, evenly spread over classes, and true to their attributes and words."""

import hashlib
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from dermnote.errors import CasesError
from dermnote.taxonomy import EIGHT
from train.data.sources.drawn import attributes_of, draw, parse_spec, read
from train.synthetic.artefacts import DRAWN_ARTEFACTS
from train.synthetic.attributes import ARTEFACTS, BORDERS, COLOURS, Attributes
from train.synthetic.lesion import draw_lesion
from train.synthetic.sampling import PATTERNS
from train.synthetic.structures import STRUCTURES

SIZE = 160
PLAIN = replace(
    attributes_of(0, 2),
    **{"asymmetry": "asymmetric", "border": "sharp", "base_colour": "light brown", "patch_colours": ()},
    **{"structures": (), "skin_type": 2, "artefacts": (), "reach": 0.34, "position": (0.5, 0.5)},
)


def pixels(attributes: Attributes, seed: tuple[int, int] = (3, 4)) -> np.ndarray:
    return np.asarray(draw_lesion(attributes, seed, SIZE)).astype(int)


def changed(a: np.ndarray, b: np.ndarray) -> float:
    """Return the share of pixels that differ visibly."""
    return float((np.abs(a - b).max(axis=-1) > 12).mean())


def test_same_pixels_in_any_order_and_any_process() -> None:
    first = np.asarray(draw(5, 11, SIZE))
    draw(5, 12, SIZE)
    np.random.seed(1)  # the global state must not matter
    assert np.array_equal(first, np.asarray(draw(5, 11, SIZE)))
    code = "import hashlib; from train.data.sources.drawn import draw; "
    code += f"print(hashlib.sha256(draw(5, 11, {SIZE}).tobytes()).hexdigest())"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert printed == hashlib.sha256(first.tobytes()).hexdigest()


def test_a_lesion_does_not_depend_on_how_many_are_drawn() -> None:
    few, many = list(read("5,seed=3")), list(read("500,seed=3"))[:5]
    assert [case.extra for case in few] == [case.extra for case in many]
    assert [case.description for case in few] == [case.description for case in many]
    assert [case.case_id for case in few] == [f"drawn/3-{number:05d}" for number in range(5)]
    first, other_seed, other_number = (np.asarray(draw(*which, SIZE)).astype(int) for which in ((0, 1), (1, 1), (0, 9)))
    assert min(changed(first, other_seed), changed(first, other_number)) > 0.2


def test_classes_are_spread_evenly_and_every_subtype_has_its_hallmarks() -> None:
    counts = Counter(case.label for case in read("20"))
    assert set(counts) == {each.name for each in EIGHT}
    assert max(counts.values()) - min(counts.values()) <= 1
    always = {(pattern.label, pattern.subtype): set(pattern.always) for pattern in PATTERNS}
    cases = list(read("400,seed=2"))
    assert {(case.label, case.subtype) for case in cases} == set(always)
    assert all(always[case.label, case.subtype] <= set(case.extra["structures"]) for case in cases)


@pytest.mark.slow
def test_named_structures_artefacts_and_colours_are_drawn() -> None:
    plain = pixels(PLAIN)
    for name in STRUCTURES:
        assert changed(plain, pixels(replace(PLAIN, structures=(name,)))) > 0.004, name
    assert set(DRAWN_ARTEFACTS) == set(ARTEFACTS)
    for name in ARTEFACTS:
        assert changed(plain, pixels(replace(PLAIN, artefacts=(name,)))) > 0.002, name
    for colour in set(COLOURS) - {"light brown"}:
        assert changed(plain, pixels(replace(PLAIN, base_colour=colour))) > 0.1, colour
        assert changed(plain, pixels(replace(PLAIN, patch_colours=(colour,)))) > 0.01, colour


def test_colours_look_as_they_are_named() -> None:
    middle = {colour: pixels(replace(PLAIN, base_colour=colour))[70:90, 70:90].mean(axis=(0, 1)) for colour in COLOURS}
    brightness = {colour: value.mean() for colour, value in middle.items()}
    assert brightness["white"] > brightness["light brown"] > brightness["dark brown"] > brightness["black"]
    for colour, (red, green, blue) in middle.items():
        assert (blue > red) == (colour == "blue-gray"), colour
        if colour == "red":
            assert red > 1.5 * max(green, blue)


def test_borders_symmetry_and_skin_types_are_drawn() -> None:
    drawn = [pixels(replace(PLAIN, border=border)) for border in BORDERS]
    assert min(changed(drawn[a], drawn[b]) for a, b in ((0, 1), (0, 2), (1, 2))) > 0.01
    assert changed(drawn[0], pixels(replace(PLAIN, asymmetry="symmetric"))) > 0.02
    corner = [pixels(replace(PLAIN, skin_type=skin_type))[:24, :24].mean() for skin_type in range(1, 7)]
    assert all(lighter > darker + 8 for lighter, darker in pairwise(corner))


def test_words_name_every_structure_and_colour() -> None:
    for case in read("160,seed=6"):
        assert all(colour in case.description for colour in case.extra["colours"])
        for name in case.extra["structures"]:
            assert any(words in case.description for words in STRUCTURES[name].words), (name, case.description)


def test_words_never_name_the_diagnosis() -> None:
    names = {word for each in EIGHT for word in (each.name, *each.words)} | {pattern.subtype for pattern in PATTERNS}
    names |= {"benign", "malignant", "malignancy", "cancer", "carcinoma", "tumour", "tumor", "pre-cancerous", "lesion"}
    hidden = re.compile(r"\b(" + "|".join(map(re.escape, sorted(names))) + r")s?\b", re.IGNORECASE)
    for case in read("800,seed=1"):
        assert not hidden.search(case.description), case.description


def test_words_determine_the_class() -> None:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    train, fresh = list(read("400,seed=1")), list(read("400,seed=2"))
    bag = CountVectorizer(ngram_range=(1, 2))
    model = LogisticRegression(max_iter=500).fit(
        bag.fit_transform([case.description for case in train]), [case.label for case in train]
    )
    score = model.score(bag.transform([case.description for case in fresh]), [case.label for case in fresh])
    assert score > 0.97


def test_surroundings_do_not_give_the_class_away() -> None:
    by_class: dict[str, list[tuple[float, ...]]] = {}
    for case in read("1600,seed=8"):
        extra = case.extra
        row = (extra["reach"], extra["skin_type"] / 6, "hairs" in extra["artefacts"], "ink" in extra["artefacts"])
        by_class.setdefault(case.label, []).append(row)
    means = np.array([np.mean(rows, axis=0) for rows in by_class.values()])
    assert np.all(np.ptp(means, axis=0) < (0.02, 0.08, 0.2, 0.12))


def test_valid_and_invalid_specs() -> None:
    assert [parse_spec(spec) for spec in ("8", "800,seed=1", " 8, seed=12 ")] == [(8, 0), (800, 1), (8, 12)]
    for spec in ("", "0", "-3", "abc", "8,seed", "8,seed=x", "8;seed=1", "some/folder", "8,size=3"):
        with pytest.raises(CasesError, match=f"drawn={spec} .* drawn=800") as error:
            list(read(spec))
        assert "\n" not in str(error.value)
