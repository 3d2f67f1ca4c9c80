import pytest

from dermnote.errors import NotesError
from dermnote.notes.strategies import DEMOGRAPHICS, RECORD, STRATEGIES, get_strategy


def test_strategies_are_known_in_any_case():
    assert list(STRATEGIES) == ["m", "m+p1", "m+p2", "p3", "mix"]
    for name in STRATEGIES:
        assert get_strategy(f" {name.upper()} ").name == name
    with pytest.raises(NotesError, match=r"Unknown note strategy 'x'\. Known: m, m\+p1"):
        get_strategy("x")


def test_what_each_writer_is_given():
    given = {name: (bool(each.tells), each.uses_picture, each.needs_model) for name, each in STRATEGIES.items()}
    assert given == {
        "m": (True, False, False),
        "m+p1": (True, True, True),
        "m+p2": (True, True, True),
        "p3": (False, True, True),
        "mix": (True, True, True),
    }
    assert STRATEGIES["p3"].tells == ()
    assert not set(RECORD) & set(DEMOGRAPHICS)
