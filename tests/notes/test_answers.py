"""Reading and validation of answers, and the notes composed from them."""

import json
import random
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dermnote.notes.answers import (
    LONGEST,
    AnswerError,
    answer_schema,
    compose_note,
    describe_answer,
    describe_findings,
    read_answer,
)
from dermnote.notes.strategies import STRATEGIES, Prompt
from dermnote.vocabularies.vocabulary import dermoscopy
from tests.llm.note_requests import MELANOMA
from tests.servers.llm_answers import asked_schema, instance

WORDS = dermoscopy()
PROMPTS = {name: each.prompt for name, each in STRATEGIES.items() if each.prompt}
CLOSED, FREE, BLIND = (PROMPTS[name] for name in ("m+p1", "m+p2", "p3"))
SEEN = {"asymmetry": "asymmetric", "border": "mixed", "colours": ["dark brown", "red"], "structures": []}


def read(answer: object, prompt: Prompt = CLOSED) -> dict[str, object]:
    return read_answer(answer if isinstance(answer, str) else json.dumps(answer), prompt, WORDS)


@pytest.mark.parametrize("name", PROMPTS)
def test_a_schema_is_strict_and_all_that_fits_it_can_be_read(name):
    schema = answer_schema(PROMPTS[name], WORDS)
    assert schema["additionalProperties"] is False
    assert schema["required"] == list(schema["properties"])
    for seed in range(50):
        read(instance(schema, random.Random(seed)), PROMPTS[name])


@pytest.mark.parametrize("name", PROMPTS)
def test_words_and_schema_ask_for_the_same(name):
    body = {"messages": [{"role": "user", "content": describe_answer(PROMPTS[name], WORDS)}]}
    asked = asked_schema(body)["properties"]
    schema = answer_schema(PROMPTS[name], WORDS)["properties"]
    plain = {
        key: {name: value for name, value in each.items() if name != "description"} for key, each in schema.items()
    }
    assert asked == plain


@pytest.mark.parametrize("name", PROMPTS)
@pytest.mark.parametrize("seed", range(3))
def test_reading_an_answer_that_was_read_changes_nothing(name, seed):
    first = read(instance(answer_schema(PROMPTS[name], WORDS), random.Random(seed)), PROMPTS[name])
    assert read(first, PROMPTS[name]) == first


def test_case_spaces_and_order_are_levelled_and_other_keys_dropped():
    answer = {"asymmetry": " Asymmetric", "border": "MIXED", "colours": ["red", "dark  BROWN", "red"], "structures": []}
    assert read({**answer, "confidence": 0.9}) == {**SEEN, "colours": ["red", "dark brown"]}


@pytest.mark.parametrize(
    "wrapped",
    [
        "```json\n{}\n```",
        "Here you are: {} I hope that helps.",
        "{}{}",
        '{{"thought": "first I look"}}\n{}',
        '<think>perhaps {{"asymmetry": "symmetric"}}?</think>{}',
        'Perhaps {{"asymmetry": "symmetric", "border": "sharp", "colours": ["red"], "structures": []}}?</think>{}',
        '{{not json}} {{"a": [{{"b": {{}}}}]}} {}',
    ],
)
def test_an_answer_is_found_between_other_words(wrapped):
    assert read(wrapped.replace("{}", json.dumps(SEEN)).replace("{{", "{").replace("}}", "}")) == {
        **SEEN,
        "colours": ["red", "dark brown"],
    }


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"border": None}, r'"border" holds null, which is none of: sharp'),
        ({"border": "jagged"}, r'"border" holds "jagged", which is none of'),
        ({"border": ["sharp"]}, r'"border" holds \["sharp"\]'),
        ({"colours": "red"}, r'"colours" is not a list'),
        ({"colours": []}, r'"colours" needs at least 1'),
        ({"colours": ["red", "teal"]}, r'"colours" holds "teal"'),
        ({"structures": [{"name": "dots"}]}, r'"structures" holds'),
    ],
)
def test_a_wrong_value_is_named(change, problem):
    with pytest.raises(AnswerError, match=problem):
        read({**SEEN, **change})


def test_the_least_and_the_most_of_a_list_are_told_to_model_and_server():
    colours = answer_schema(CLOSED, WORDS)["properties"]["colours"]
    assert (colours["minItems"], colours["maxItems"]) == (1, 6)
    assert '"colours": a list of those that are seen (at least 1), each one of: white' in describe_answer(CLOSED, WORDS)
    assert '"structures": a list of those that are seen, each one of:' in describe_answer(CLOSED, WORDS)


def test_a_missing_key_is_named():
    with pytest.raises(AnswerError, match=r'lacks the key "structures"'):
        read({key: value for key, value in SEEN.items() if key != "structures"})


@pytest.mark.parametrize(
    "text", ["", "I cannot see a lesion.", "[1, 2]", '{"asymmetry": "symm', "{" * 5000, '{"a":' * 900]
)
def test_no_object_is_no_answer(text):
    with pytest.raises(AnswerError, match="no JSON object"):
        read(text)


def test_a_text_becomes_one_clean_line():
    answer = {
        "lesion_type": "A\nnodule\u2028 ",
        "colour": "Red\u0007\x1b[31m!",
        "border": "x\ud800y",
        "symmetry": "a\u202eb.",
    }
    assert read(answer, FREE) == {"lesion_type": "A nodule.", "colour": "Red[31m!", "border": "x?y.", "symmetry": "ab."}


def test_a_text_of_the_greatest_length_is_read_again_as_it_was():
    report = {"report": "x" * (LONGEST - 1), "stated_class": "melanoma", "stated_malignancy": "malignant"}
    once = read(report, BLIND)
    assert len(once["report"]) == LONGEST and read(once, BLIND) == once


@pytest.mark.parametrize("text", ["", "  \n", "\u200b", 7, None, ["a"], "x" * LONGEST])
def test_what_is_no_text_is_refused(text):
    with pytest.raises(AnswerError, match="colour"):
        read({"lesion_type": "a", "colour": text, "border": "b", "symmetry": "c"}, FREE)


def test_notes_read_as_their_strategy_says():
    p1, findings = compose_note(read(SEEN), CLOSED, WORDS, MELANOMA)
    assert "melanoma" in p1
    assert p1.endswith(
        "Asymmetry: asymmetric. Border: mixed. Colours: red, dark brown. "
        "Dermoscopic structures: none of those asked for."
    )
    assert findings == {**SEEN, "colours": ["red", "dark brown"]}
    answer = {"lesion_type": "A nodule", "colour": "Red {record}", "border": "Sharp", "symmetry": "Round"}
    assert compose_note(read(answer, FREE), FREE, WORDS, MELANOMA) == ("A nodule. Red {record}. Sharp. Round.", None)
    answer = {"report": "A red nodule", "stated_class": "Melanocytic NEVUS", "stated_malignancy": "benign"}
    note, findings = compose_note(read(answer, BLIND), BLIND, WORDS, MELANOMA)
    assert note == "A red nodule. Impression: melanocytic nevus, benign."
    assert findings == {"stated_class": "melanocytic nevus", "stated_malignancy": "benign"}


def test_findings_are_told_in_the_vocabularys_order():
    assert (
        describe_findings({"colours": ["red"], "asymmetry": "symmetric"}, WORDS)
        == "Asymmetry: symmetric. Colours: red."
    )


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.sampled_from([*SEEN, "x"]), each, max_size=5),
    max_leaves=12,
)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(anything, st.text(alphabet=string.printable + '{}[]":,é\u2028', max_size=30))
@example(SEEN, "")
def test_no_answer_whatever_breaks_the_reader(value, around):
    try:
        read(around + json.dumps(value) + around)
    except AnswerError as error:
        assert str(error)
