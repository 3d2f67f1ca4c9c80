"""Requests to a language model for the note of one lesion, and the key under which a reply is cached."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dermnote.errors import NotesError
from dermnote.llm.chat_request import ChatRequest
from dermnote.metadata import LesionMetadata
from dermnote.notes.answers import answer_schema, compose_note, describe_answer, read_answer
from dermnote.notes.schema import Note
from dermnote.notes.strategies import DEMOGRAPHICS, RECORD_MESSAGE, SYSTEM_MESSAGE, Prompt, Strategy
from dermnote.vocabularies.vocabulary import Vocabulary

DETAILS = ("low", "high")
LONGEST_FIELD = 500  # characters of one field of the record; the longest real one has 90


@dataclass(frozen=True)
class RequestBuilder:
    """Builder of one strategy's requests.

    Attributes:
        strategy: Strategy with a prompt.
        model: Name of the language model.
        vocabulary: Options and classes.
        demographics: Whether age, sex, site and skin tone are sent too, if the strategy sends the record.
        detail: Image detail, "low" or "high", which also determines an image's price.
    """

    strategy: Strategy
    model: str
    vocabulary: Vocabulary
    demographics: bool = False
    detail: str = "low"

    def __post_init__(self) -> None:
        if self.detail not in DETAILS:
            raise NotesError(f"Unknown detail '{self.detail}'.", f"Known: {', '.join(DETAILS)}.")
        answers = self.strategy.prompt.answers if self.strategy.prompt else ()
        if not self.vocabulary.features and any(answer.kind == "features" for answer in answers):
            raise NotesError(
                f"Strategy '{self.strategy.name}' chooses among features, and vocabulary '{self.vocabulary.name}' has "
                "none.",
                "Add 'features' to it, or take a strategy of free text.",
            )

    @property
    def prompt(self) -> Prompt:
        """The strategy's prompt; NotesError if it has none."""
        if self.strategy.prompt is None:
            raise NotesError(f"Strategy '{self.strategy.name}' uses no language model itself.")
        return self.strategy.prompt

    @property
    def record_fields(self) -> tuple[str, ...]:
        """Fields of the record that are sent."""
        extra = DEMOGRAPHICS if self.demographics and self.strategy.tells else ()
        return (*self.strategy.tells, *extra)

    @cached_property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the answer."""
        return answer_schema(self.prompt, self.vocabulary)

    @cached_property
    def task(self) -> str:
        """Instructions with options, classes and keys filled in."""
        vocabulary = self.vocabulary
        return self.prompt.task.format(
            picture=vocabulary.picture,
            options="\n".join(_feature_lines(vocabulary)),
            classes="\n".join(f"- {each.name}" for each in vocabulary.classes),
            answer=describe_answer(self.prompt, vocabulary),
        )

    @cached_property
    def prompt_version(self) -> str:
        """Short hash of everything that is equal for all lesions, and of how the note is composed from the answer."""
        prompt = self.prompt
        messages = [SYSTEM_MESSAGE, RECORD_MESSAGE, self.task, self.schema]
        return _digest([*messages, prompt.note, prompt.temperature, prompt.max_tokens, self.record_fields])[:8]

    def build(self, metadata: LesionMetadata, image_sha256: str) -> NoteRequest:
        """Return the request for one lesion.

        Args:
            metadata: All metadata; only the strategy's fields become part of the request.
            image_sha256: Digest of the image, which represents it in the key.
        """
        known = metadata.to_mapping()
        record = {name: known[name] for name in self.record_fields if name in known}
        return NoteRequest(
            system=SYSTEM_MESSAGE,
            text=f"{_record_message(record)}\n\n{self.task}" if record else self.task,
            schema=self.schema,
            temperature=self.prompt.temperature,
            max_tokens=self.prompt.max_tokens,
            detail=self.detail,
            uses_image=self.strategy.uses_image,
            builder=self,
            record=record,
            image_sha256=image_sha256,
        )


@dataclass(frozen=True, kw_only=True)
class NoteRequest(ChatRequest):
    """Request for the note of one lesion.

    Attributes:
        builder: Builder of the request.
        record: Metadata that is sent; empty for a strategy without.
        image_sha256: Digest of the image.
        attempt: Number of repetitions after a note that contradicted its record; changes nothing but the key.
    """

    builder: RequestBuilder
    record: Mapping[str, Any]
    image_sha256: str
    attempt: int = 0

    @property
    def key(self) -> str:
        """SHA-256 of model, prompt version, schema, detail, image and record."""
        builder = self.builder
        parts = [builder.model, builder.prompt_version, self.schema, self.detail, self.text, self.image_sha256]
        return _digest([*parts, self.attempt] if self.attempt else parts)

    def parse(self, answer: str) -> str:
        """Return the validated answer as JSON; AnswerError if it does not match the request."""
        values = read_answer(answer, self.builder.prompt, self.builder.vocabulary)
        # "</" is escaped, as JSON allows: `read_answer` drops everything before a reasoning model's closing tag
        return json.dumps(values, ensure_ascii=False).replace("</", "<\\/")

    def note(self, answer: str) -> Note:
        """Return the note composed from an answer, without its audit; AnswerError if the answer does not match."""
        builder, record = self.builder, LesionMetadata.from_mapping(self.record)
        prompt, vocabulary = builder.prompt, builder.vocabulary
        values = read_answer(answer, prompt, vocabulary)
        text, findings = compose_note(values, prompt, vocabulary, record, demographics=builder.demographics)
        return Note(text, builder.strategy.name, builder.model, builder.prompt_version, findings, request=self.key)


def _record_message(record: Mapping[str, Any]) -> str:
    """Return the record as JSON between tags, so that quotes and line ends remain data."""
    cut = {name: value[:LONGEST_FIELD] if isinstance(value, str) else value for name, value in record.items()}
    # "<" is escaped, so that no value can contain the closing tag
    text = json.dumps(cut, ensure_ascii=False).replace("<", "\\u003c").encode("utf-8", "replace").decode()
    return RECORD_MESSAGE.format(record=text)


def _feature_lines(vocabulary: Vocabulary) -> list[str]:
    lines = []
    for feature in vocabulary.features:
        options = "; ".join(
            each.name + (f" ({each.description})" if each.description else "") for each in feature.options
        )
        lines.append(f"- {feature.title} ({'all that apply' if feature.many else 'one'}): {options}")
    return lines


def _digest(parts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
