"""Answers of a language model: their JSON schema, their reading and validation, and the note composed from one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dermnote.llm.llm_errors import AnswerError
from dermnote.metadata import LesionMetadata
from dermnote.notes.strategies import Answer, Prompt
from dermnote.notes.template import write_template
from dermnote.taxonomy import BENIGN, MALIGNANT, PRECANCEROUS
from dermnote.vocabularies.vocabulary import Feature, Vocabulary

MALIGNANCIES = (BENIGN, PRECANCEROUS, MALIGNANT)
LONGEST = 4000  # characters of one text; a model that repeats itself fills its token limit
LONGEST_ANSWER = 100_000
END_OF_THOUGHT = "</think>"  # some models write their reasoning, drafts of the answer included, before this tag
NO_OPTION = "none of those asked for"


def answer_schema(prompt: Prompt, vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the JSON schema of an answer in the strict form: every key required, no other allowed."""
    properties = dict(_properties(prompt, vocabulary))
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def describe_answer(prompt: Prompt, vocabulary: Vocabulary) -> str:
    """Return the schema in words, for models without schema support; the others answer better with it too."""
    lines = ["Answer with one JSON object, and nothing else, with these keys:"]
    lines += [f'- "{name}": {_describe(schema)}' for name, schema in _properties(prompt, vocabulary)]
    return "\n".join(lines)


def _properties(prompt: Prompt, vocabulary: Vocabulary) -> Iterator[tuple[str, dict[str, Any]]]:
    for answer in prompt.answers:
        if answer.kind == "features":
            yield from ((feature.name, _feature_schema(feature)) for feature in vocabulary.features)
        else:
            choices = _choices(answer, vocabulary)
            enum = {"enum": list(choices)} if choices else {}
            yield answer.name, {"type": "string", **enum, "description": answer.description}


def _feature_schema(feature: Feature) -> dict[str, Any]:
    choice = {"type": "string", "enum": feature.choices}
    if not feature.many:
        return choice
    # servers that enforce the schema would else accept an empty list, or one option repeated
    return {"type": "array", "items": choice, "minItems": feature.at_least, "maxItems": len(feature.choices)}


def _choices(answer: Answer, vocabulary: Vocabulary) -> tuple[str, ...]:
    if answer.kind == "class":
        return tuple(each.name for each in vocabulary.classes)
    return MALIGNANCIES if answer.kind == "malignancy" else ()


def _describe(schema: Mapping[str, Any]) -> str:
    if schema["type"] == "array":
        fewest = f" (at least {schema['minItems']})" if schema["minItems"] else ""
        return f"a list of those that are seen{fewest}, each one of: " + ", ".join(schema["items"]["enum"])
    kind = "one of: " + ", ".join(schema["enum"]) if "enum" in schema else "a text"
    return f"{kind} ({schema['description']})" if schema.get("description") else kind


def read_answer(text: str, prompt: Prompt, vocabulary: Vocabulary) -> dict[str, Any]:
    """Read an answer, also inside a code fence or other words, and validate it.

    Case, spaces and the order of options are normalized; unknown keys are dropped.

    Raises:
        AnswerError: There is no JSON object, a key is missing, or a value is none of its options.
    """
    found = _find_object(text, {name for name, _ in _properties(prompt, vocabulary)})
    answer: dict[str, Any] = {}
    for part in prompt.answers:
        if part.kind == "features":
            answer |= {feature.name: _feature_value(found, feature) for feature in vocabulary.features}
        elif choices := _choices(part, vocabulary):
            answer[part.name] = _choice(_required(found, part.name), choices, part.name)
        else:
            answer[part.name] = _text(_required(found, part.name), part.name)
    return answer


def _find_object(text: str, keys: set[str]) -> dict[str, Any]:
    """Return the first JSON object with all the keys, else the first."""
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


def _required(found: Mapping[str, Any], name: str) -> Any:
    if name not in found:
        raise AnswerError(f'The answer lacks the key "{name}".')
    return found[name]


def _feature_value(found: Mapping[str, Any], feature: Feature) -> str | list[str]:
    value = _required(found, feature.name)
    if not feature.many:
        return _choice(value, feature.choices, feature.name)
    if not isinstance(value, list):
        raise AnswerError(f'"{feature.name}" is not a list.')
    chosen = {_choice(each, feature.choices, feature.name) for each in value}
    if len(chosen) < feature.at_least:
        raise AnswerError(f'"{feature.name}" needs at least {feature.at_least} of its options.')
    return [choice for choice in feature.choices if choice in chosen]


def _choice(value: Any, choices: Sequence[str], name: str) -> str:
    normalized = " ".join(value.lower().split()) if isinstance(value, str) else value
    for choice in choices:
        if normalized == choice.lower():
            return choice
    raise AnswerError(f'"{name}" holds {json.dumps(value)[:80]}, which is none of: {", ".join(choices)}.')


def _text(value: Any, name: str) -> str:
    # JSON allows half a surrogate pair, which no file can hold, and control characters, which a terminal obeys
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
    """Return the note's text, one line, and its findings: the answer's choices from closed lists (None: no lists)."""
    closed = {feature.name for feature in vocabulary.features}
    if not any(part.kind == "features" for part in prompt.answers):
        closed = set()  # a text may have a feature's name ("border")
    closed |= {part.name for part in prompt.answers if part.kind in ("class", "malignancy")}
    findings = {name: value for name, value in answer.items() if name in closed}
    parts = {**answer, "findings": describe_findings(findings, vocabulary)}
    if "{record}" in prompt.note:
        parts["record"] = write_template(metadata, demographics=demographics)
    return prompt.note.format(**parts).strip(), findings or None


def describe_findings(findings: Mapping[str, Any], vocabulary: Vocabulary) -> str:
    """Return findings as short sentences in the vocabulary's order; features without a finding are left out."""
    sentences = []
    for feature in vocabulary.features:
        if feature.name in findings:
            value = findings[feature.name]
            options = [value] if isinstance(value, str) else list(value)
            sentences.append(f"{feature.title}: {', '.join(options) or NO_OPTION}.")
    return " ".join(sentences)
