"""What is asked of a language model for one lesion, and the key under which its answer is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dermnote.errors import NotesError
from dermnote.llm.answers import answer_schema, compose_note, describe_answer, read_answer
from dermnote.metadata import LesionMetadata
from dermnote.notes.schema import Note
from dermnote.notes.strategies import DEMOGRAPHICS, ROLE, TOLD, Prompt, Strategy
from dermnote.vocabularies.vocabulary import Vocabulary

DETAILS = ("low", "high")
LONGEST_FIELD = 500  # characters of one field of the record; the longest real one has 90


@dataclass(frozen=True)
class Asking:
    """What all requests of a run share.

    Attributes:
        strategy: One with a prompt.
        model: Name of the language model.
        vocabulary: Options and classes.
        demographics: Whether age, sex, site and skin tone are told too, where the strategy tells the record at all.
        detail: "low" or "high": how closely the model is to look, and what a picture costs.
    """

    strategy: Strategy
    model: str
    vocabulary: Vocabulary
    demographics: bool = False
    detail: str = "low"

    def __post_init__(self) -> None:
        if self.detail not in DETAILS:
            raise NotesError(f"Unknown detail '{self.detail}'.", f"Known: {', '.join(DETAILS)}.")
        asked = self.strategy.prompt.answers if self.strategy.prompt else ()
        if not self.vocabulary.features and any(answer.kind == "features" for answer in asked):
            raise NotesError(
                f"Strategy '{self.strategy.name}' chooses among features, and vocabulary '{self.vocabulary.name}' has "
                "none.",
                "Add 'features' to it, or take a strategy of free text.",
            )

    @property
    def prompt(self) -> Prompt:
        """The strategy's prompt; NotesError if it has none."""
        if self.strategy.prompt is None:
            raise NotesError(f"Strategy '{self.strategy.name}' asks no language model itself.")
        return self.strategy.prompt

    @property
    def told(self) -> tuple[str, ...]:
        """Fields of the record that are told."""
        extra = DEMOGRAPHICS if self.demographics and self.strategy.tells else ()
        return (*self.strategy.tells, *extra)

    @cached_property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the answer."""
        return answer_schema(self.prompt, self.vocabulary)

    @cached_property
    def task(self) -> str:
        """The instructions, filled in."""
        vocabulary = self.vocabulary
        return self.prompt.task.format(
            picture=vocabulary.picture,
            options="\n".join(_feature_lines(vocabulary)),
            classes="\n".join(f"- {each.name}" for each in vocabulary.classes),
            answer=describe_answer(self.prompt, vocabulary),
        )

    @cached_property
    def prompt_version(self) -> str:
        """Short hash of all that is the same for every lesion, and of how the note is made of the answer."""
        prompt = self.prompt
        parts = [ROLE, TOLD, self.task, self.schema, prompt.note, prompt.temperature, prompt.max_tokens, self.told]
        return _digest(parts)[:8]

    def about(self, metadata: LesionMetadata, picture_sha256: str) -> NoteRequest:
        """The request for one lesion; of its record only what this strategy tells is taken along.

        Args:
            metadata: All that is known.
            picture_sha256: Digest of the picture, which stands for it in the key.
        """
        known = metadata.to_mapping()
        return NoteRequest(self, {name: known[name] for name in self.told if name in known}, picture_sha256)


@dataclass(frozen=True)
class NoteRequest:
    """One lesion's request.

    Attributes:
        asking: What it shares with the others.
        record: What is told of the lesion; empty for a strategy that tells nothing.
        picture_sha256: Digest of its picture.
        attempt: Asked again for a note that contradicted its record: 1, 2 ...; it changes nothing but the key.
    """

    asking: Asking
    record: Mapping[str, Any]
    picture_sha256: str
    attempt: int = 0

    @property
    def text(self) -> str:
        """The user message's words; the record stands in it as JSON, so that quotes and line ends stay data."""
        if not self.record:
            return self.asking.task
        cut = {name: value[:LONGEST_FIELD] if isinstance(value, str) else value for name, value in self.record.items()}
        # "<" escaped: no cell can write the closing tag
        told = json.dumps(cut, ensure_ascii=False).replace("<", "\\u003c").encode("utf-8", "replace").decode()
        return f"{TOLD.format(record=told)}\n\n{self.asking.task}"

    @property
    def key(self) -> str:
        """sha256 of model, prompt version, schema, detail, picture and record."""
        asking = self.asking
        parts = [asking.model, asking.prompt_version, asking.schema, asking.detail, self.text, self.picture_sha256]
        return _digest([*parts, self.attempt] if self.attempt else parts)

    def note(self, answer_text: str) -> Note:
        """The note made of an answer; its audit is not in it yet.

        Raises:
            AnswerError: The answer is not what was asked for.
        """
        asking = self.asking
        answer = read_answer(answer_text, asking.prompt, asking.vocabulary)
        text, findings = compose_note(
            answer,
            asking.prompt,
            asking.vocabulary,
            LesionMetadata.from_mapping(self.record),
            demographics=asking.demographics,
        )
        return Note(text, asking.strategy.name, asking.model, asking.prompt_version, findings, request=self.key)


def _feature_lines(vocabulary: Vocabulary) -> list[str]:
    lines = []
    for feature in vocabulary.features:
        options = "; ".join(
            f"{each.name} ({each.description})" if each.description else each.name for each in feature.options
        )
        lines.append(f"- {feature.title} ({'all that apply' if feature.many else 'one'}): {options}")
    return lines


def _digest(parts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
