"""Reading of vocabularies, and the errors for each wrong value."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from dermnote.errors import NotesError
from dermnote.vocabularies import lexicon
from dermnote.vocabularies.vocabulary import Vocabulary

SMALL = {
    "name": "hair",
    "picture": "a scalp",
    "classes": [{"name": "alopecia areata"}, {"name": "tinea", "malignancy": "benign", "words": ["ringworm"]}],
    "features": {"dots": {"choose": "many", "options": {"yellow": {}, "black": {"means": "cadaverized hairs"}}}},
}


def read(tmp_path: Path, values: object) -> Vocabulary:
    path = tmp_path / "vocabulary.yaml"
    path.write_text(values if isinstance(values, str) else yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return Vocabulary.read(path)


def changed(where: tuple[object, ...], value: object) -> dict:
    """`SMALL` with one value put in its place; `...` takes it away."""
    values = yaml.safe_load(yaml.safe_dump(SMALL))
    inside = values
    for key in where[:-1]:
        inside = inside[key]
    if value is ...:
        del inside[where[-1]]
    else:
        inside[where[-1]] = value
    return values


def test_a_file_is_read_with_its_defaults(tmp_path: Path):
    words = read(tmp_path, SMALL)
    (dots,) = words.features
    assert (dots.title, dots.claim, dots.many, dots.at_least) == ("Dots", "dots", True, 0)
    assert dots.choices == ["yellow", "black"]
    assert dots.options[1].description == "cadaverized hairs"
    assert [(each.name, each.words) for each in words.classes] == [("alopecia areata", ()), ("tinea", ("ringworm",))]


@pytest.mark.parametrize(
    ("where", "value", "problem"),
    [
        (("name",), ..., "lacks 'name'"),
        (("picture",), "", "lacks 'picture'"),
        (("classes",), ..., "lacks 'classes'"),
        (("clases",), [], "clases"),
        (("classes",), "taxnomy", "must be 'taxonomy' or a list"),
        (("classes",), [{"name": "only"}], "two classes or more"),
        (("classes", 1), "tinea", "class 2"),
        (("classes", 1, "name"), ["tinea"], "'name' of class 2"),
        (("classes", 1, "words"), "ringworm", "must be a list of texts"),
        (("features",), ["dots"], "'features'"),
        (("features", "dots", "options"), {"yellow": {}}, "two options or more"),
        (("features", "dots", "options", "black"), {"mean": "x"}, "mean"),
        (("features", "dots", "choose"), "some", "must be one or many"),
        (("features", "dots", "at_least"), 3, "from 0 to its number of options"),
        (("features", "dots", "title"), 7, "'title' of feature 'dots'"),
        (("features", "dots", "options"), {True: {}, False: {}}, "option 'True' of feature 'dots'"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(tmp_path: Path, where: tuple, value: object, problem: str):
    with pytest.raises(NotesError, match=re.escape(problem)) as caught:
        read(tmp_path, changed(where, value))
    assert "vocabulary.yaml" in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "plain", "a: [", "a: !!python/object/apply:os.system ['true']"])
def test_a_file_that_is_no_vocabulary_is_refused(tmp_path: Path, text: str):
    with pytest.raises(NotesError, match="vocabulary"):
        read(tmp_path, text)


def test_the_lexicon_reads_alike_without_libyaml(monkeypatch: pytest.MonkeyPatch):
    files = sorted(lexicon.FOLDER.glob("*.yaml"))
    fast = [lexicon.read_yaml(path) for path in files]
    monkeypatch.setattr(lexicon, "_Loader", yaml.SafeLoader)
    assert [lexicon.read_yaml(path) for path in files] == fast
