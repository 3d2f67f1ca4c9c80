"""Fuzzing: randomly damaged images, bundles and notes give a result or one clear error.

    DERMNOTE_FUZZ=10000 pytest tests/test_fuzz.py      # long run; the default is a few hundred of each

Bundles are damaged under a matching manifest, as a careless or hostile publisher could write them.
"""

from __future__ import annotations

import io
import json
import os
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dermnote import DermNote, LesionMetadata
from dermnote.audit.auditing import audit
from dermnote.audit.masking import mask_diagnosis
from dermnote.errors import DermNoteError, ImageError, NotesError
from dermnote.hub.manifest import MANIFEST, write_manifest
from dermnote.images.opening import open_image
from dermnote.notes.schema import Note, NoteRow, parse_line
from tests.micro_bundle import lesion, make_bundle

ROUNDS = int(os.environ.get("DERMNOTE_FUZZ", "300"))
LIMIT = 2.0  # seconds of processor time for one input
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Apply one to four errors: flipped bits, removed, repeated, zeroed or random bytes, or large numbers."""
    for _ in range(int(rng.integers(1, 5))):
        if not data:
            break
        at, length = int(rng.integers(len(data))), int(rng.integers(1, 33))
        before, some, after = data[:at], data[at : at + length], data[at + length :]
        numbers = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x80")
        changes = (
            bytes([some[0] ^ 1 << int(rng.integers(8))]) + some[1:] + after,
            rng.bytes(len(some)) + after,
            b"",
            after,
            some * int(rng.integers(2, 10)) + after,
            bytes(len(some)) + after,
            numbers[int(rng.integers(3))] + data[at + 4 :],
        )
        data = before + changes[int(rng.integers(len(changes)))]
    return data


@pytest.mark.parametrize("kind", FORMATS)
def test_damaged_images(kind: str) -> None:
    buffer, rng = io.BytesIO(), np.random.default_rng(FORMATS.index(kind))
    frames = [lesion(2, 48)] if kind == "GIF" else []
    lesion(1, 48).save(buffer, kind, **({"save_all": True, "append_images": frames} if frames else {}))
    opened = 0
    for number in range(ROUNDS // len(FORMATS)):
        data, start = damaged(buffer.getvalue(), rng), time.process_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of Pillow
                image = open_image(data)
            assert isinstance(image, Image.Image) and image.mode == "RGB" and not image.getexif()
            opened += 1
        except ImageError as error:
            assert "\n" not in str(error)
        assert time.process_time() - start < LIMIT, (kind, number)
    assert opened < ROUNDS // len(FORMATS)  # not all were harmless


TEXT = "This record is of a melanoma on the back, with a blue-white veil; no ulceration."
LINE = NoteRow("milk10k/IL_1", Note(TEXT, "m", findings={"a": ["b"]})).to_line()


def test_damaged_notes() -> None:
    rng, read = np.random.default_rng(7), 0
    for number in range(ROUNDS):
        data, start = damaged(LINE.encode(), rng), time.process_time()
        try:
            row = parse_line(data, "notes.jsonl line 1")
        except NotesError as error:
            assert "\n" not in str(error)
        else:
            read += 1
            json.loads(row.to_line())
            audit(row.note.text, LesionMetadata(label="melanoma"))
            mask_diagnosis(row.note.text)
        assert time.process_time() - start < LIMIT, number
    assert 0 < read < ROUNDS


@pytest.mark.parametrize(
    "text", ["a" * 99_000, "nevus " * 16_000, "no " * 30_000, "\0" * 1000, "\u202emelanoma\u202c " * 1000, "<b>" * 9]
)
def test_extreme_texts(text: str) -> None:
    start = time.process_time()
    row = parse_line(NoteRow("a", Note(f"x {text} x", "m")).to_line(), "line 1")
    audit(row.note.text, LesionMetadata(label="nevus"))
    mask_diagnosis(row.note.text)
    assert time.process_time() - start < 5 * LIMIT  # 30 times the longest real note


def test_a_note_of_a_megabyte_is_refused() -> None:
    with pytest.raises(NotesError, match=r"line 1: The note has 1,000,000 characters"):
        parse_line(NoteRow("a", Note("a" * 1_000_000, "m")).to_line(), "line 1")


@pytest.mark.slow
def test_damaged_bundles(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", cases=8)
    names = sorted(path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file())
    rng, loaded, rounds = np.random.default_rng(11), 0, ROUNDS if "DERMNOTE_FUZZ" in os.environ else ROUNDS // 5
    image = lesion(1, 64)
    for number in range(rounds):
        name = names[number % len(names)]
        original, start = (bundle / name).read_bytes(), time.process_time()
        # Half of the errors go to the header, as most of a weights file is numbers.
        head = 2048 if rng.integers(2) else len(original)
        (bundle / name).write_bytes(damaged(original[:head], rng) + original[head:])
        try:
            if name != MANIFEST:
                write_manifest(bundle)
            model = DermNote.from_pretrained(bundle, device="cpu")
            model.find_notes(image, 2)
            loaded += 1
        except DermNoteError as error:
            assert "\n" not in str(error), (name, number)
        finally:
            (bundle / name).write_bytes(original)
            write_manifest(bundle)
        assert time.process_time() - start < LIMIT, (name, number)
    present = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    assert present == set(names) and 0 < loaded < rounds  # no leftovers
