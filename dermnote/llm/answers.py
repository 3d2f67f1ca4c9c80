"""What a language model answers: its JSON schema, its reading and checking, and the note made of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from dermnote.errors import NotesError
from dermnote.metadata import LesionMetadata
from dermnote.notes.strategies import Answer, Prompt
from dermnote.notes.template import write_template
from dermnote.taxonomy import BENIGN, MALIGNANT, PRECANCEROUS
from dermnote.vocabularies.vocabulary import Feature, Vocabulary

MALIGNANCIES = (BENIGN, PRECANCEROUS, MALIGNANT)
LONGEST = 4000  # characters of one text; a model that repeats itself without end fills its token limit
LONGEST_ANSWER = 100_000
END_OF_THOUGHT = "</think>"  # what some models think aloud stands before it, drafts of the answer included
NOTHING_SEEN = "none of those asked for"


class AnswerError(NotesError):
    """The model's answer is not what was asked for; the message can be sent back to it."""


def answer_schema(prompt: Prompt, vocabulary: Vocabulary) -> dict[str, Any]:
    """The JSON schema of an answer, in the strict form: every key required, no other allowed."""
    properties = dict(_properties(prompt, vocabulary))
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def describe_answer(prompt: Prompt, vocabulary: Vocabulary) -> str:
    """The same in words: a model that knows no schemas needs them, one that does answers better for them."""
    lines = ["Answer with one JSON object, and nothing else, with these keys:"]
    for name, schema in _properties(prompt, vocabulary):
        lines.append(f'- "{name}": {_in_words(schema)}')
    return "\n".join(lines)


def _properties(prompt: Prompt, vocabulary: Vocabulary) -> Iterator[tuple[str, dict[str, Any]]]:
    for answer in prompt.answers:
        if answer.kind == "features":
            yield from ((feature.name, _of_feature(feature)) for feature in vocabulary.features)
        else:
            choices = _choices(answer, vocabulary)
            told = {"description": answer.asks}
            yield answer.name, {"type": "string", **({"enum": list(choices)} if choices else {}), **told}


def _of_feature(feature: Feature) -> dict[str, Any]:
    choice = {"type": "string", "enum": feature.choices}
    if not feature.many:
        return choice
    # servers that hold the model to the schema would else let it say nothing, or one option over and over
    return {"type": "array", "items": choice, "minItems": feature.at_least, "maxItems": len(feature.choices)}


def _choices(answer: Answer, vocabulary: Vocabulary) -> tuple[str, ...]:
    if answer.kind == "class":
        return tuple(each.name for each in vocabulary.classes)
    return MALIGNANCIES if answer.kind == "malignancy" else ()


def _in_words(schema: Mapping[str, Any]) -> str:
    if schema["type"] == "array":
        fewest = f" (at least {schema['minItems']})" if schema["minItems"] else ""
        return f"a list of those that are seen{fewest}, each one of: " + ", ".join(schema["items"]["enum"])
    said = "one of: " + ", ".join(schema["enum"]) if "enum" in schema else "a text"
    return f"{said} ({schema['description']})" if schema.get("description") else said


def read_answer(text: str, prompt: Prompt, vocabulary: Vocabulary) -> dict[str, Any]:
    """Reads an answer, also out of a code fence or between other words, and checks it against what was asked.

    Case, spaces and order of options are levelled; keys nobody asked for are dropped.

    Raises:
        AnswerError: No JSON object in it, a key is missing, or a value is none of its options.
    """
    found = _object_in(text, {name for name, _ in _properties(prompt, vocabulary)})
    answer: dict[str, Any] = {}
    for part in prompt.answers:
        if part.kind == "features":
            answer |= {feature.name: _feature_value(found, feature) for feature in vocabulary.features}
        elif choices := _choices(part, vocabulary):
            answer[part.name] = _one_of(_needed(found, part.name), choices, part.name)
        else:
            answer[part.name] = _text(_needed(found, part.name), part.name)
    return answer


def _object_in(text: str, keys: set[str]) -> dict[str, Any]:
    """The first JSON object with all the keys, else the first."""
    objects = list(_objects(text.rpartition(END_OF_THOUGHT)[2][:LONGEST_ANSWER]))
    if not objects:
        raise AnswerError("The answer holds no JSON object.")
    return next((each for each in objects if keys <= each.keys()), objects[0])


def _objects(text: str) -> Iterator[dict[str, Any]]:
    decoder, end = json.JSONDecoder(), 0
    for match in re.finditer(r"\{", text):
        if match.start() < end:
            continue
        try:
            value, end = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        yield value


def _needed(found: Mapping[str, Any], name: str) -> Any:
    if name not in found:
        raise AnswerError(f'The answer lacks the key "{name}".')
    return found[name]


def _feature_value(found: Mapping[str, Any], feature: Feature) -> str | list[str]:
    value = _needed(found, feature.name)
    if not feature.many:
        return _one_of(value, feature.choices, feature.name)
    if not isinstance(value, list):
        raise AnswerError(f'"{feature.name}" is not a list.')
    seen = {_one_of(each, feature.choices, feature.name) for each in value}
    if len(seen) < feature.at_least:
        raise AnswerError(f'"{feature.name}" needs at least {feature.at_least} of its options.')
    return [choice for choice in feature.choices if choice in seen]


def _one_of(value: Any, choices: tuple[str, ...] | list[str], name: str) -> str:
    wanted = " ".join(value.lower().split()) if isinstance(value, str) else value
    for choice in choices:
        if wanted == choice.lower():
            return choice
    raise AnswerError(f'"{name}" holds {json.dumps(value)[:80]}, which is none of: {", ".join(choices)}.')


def _text(value: Any, name: str) -> str:
    # JSON can spell half a surrogate pair, which no file can hold, and control characters, which a terminal obeys
    text = value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
    text = " ".join("".join(each for each in text if each.isprintable() or each.isspace()).split())
    if not text:
        raise AnswerError(f'"{name}" is not a text.')
    text = text if text[-1] in ".!?" else f"{text}."
    if len(text) > LONGEST:
        raise AnswerError(f'"{name}" is longer than {LONGEST} characters.')
    return text


def compose_note(
    answer: Mapping[str, Any],
    prompt: Prompt,
    vocabulary: Vocabulary,
    metadata: LesionMetadata,
    *,
    demographics: bool = False,
) -> tuple[str, dict[str, Any] | None]:
    """The note's text, one line, and its findings: what the answer chose from closed lists (None: nothing)."""
    chosen = {name: value for name, value in answer.items() if name in _closed_keys(prompt, vocabulary)}
    parts = {**answer, "findings": describe_findings(chosen, vocabulary)}
    if "{record}" in prompt.note:
        parts["record"] = write_template(metadata, demographics=demographics)
    return prompt.note.format(**parts).strip(), chosen or None


def _closed_keys(prompt: Prompt, vocabulary: Vocabulary) -> set[str]:
    keys: set[str] = set()
    for answer in prompt.answers:
        if answer.kind == "features":
            keys |= {feature.name for feature in vocabulary.features}
        elif answer.kind != "text":  # a text may bear a feature's name ("border") and is no choice all the same
            keys.add(answer.name)
    return keys


def describe_findings(findings: Mapping[str, Any], vocabulary: Vocabulary) -> str:
    """Findings as short sentences, in the vocabulary's order; features they do not name are passed over."""
    said = []
    for feature in vocabulary.features:
        if feature.name in findings:
            value = findings[feature.name]
            options = [value] if isinstance(value, str) else list(value)
            said.append(f"{feature.title}: {', '.join(options) or NOTHING_SEEN}.")
    return " ".join(said)
