from __future__ import annotations

import pytest

from dermnote.errors import ConfigError
from dermnote.taxonomy import EIGHT, classnames, find_class


def test_ids_are_the_authors() -> None:
    assert classnames("eight") == (
        "benign keratosis",
        "dermatofibroma",
        "melanocytic nevus",
        "vascular lesion",
        "actinic keratosis",
        "basal cell carcinoma",
        "melanoma",
        "squamous cell carcinoma",
    )
    assert classnames("five") == tuple(classnames("eight")[i] for i in (0, 2, 4, 5, 6))


def test_every_word_leads_to_one_class() -> None:
    words = [word for each in EIGHT for word in (each.name, *each.words)]
    assert len(words) == len(set(words))
    for each in EIGHT:
        assert all(find_class(word.upper()) is each for word in (each.name, *each.words))
    assert find_class("psoriasis") is None


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(ConfigError, match="seven"):
        classnames("seven")
