"""Cache of text vectors: a frozen text encoder encodes each note once, also over several runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import torch

from dermnote.config import DermNoteConfig
from dermnote.errors import ConfigError
from dermnote.models.image_encoder import ImageEncoder
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.text_encoder import TextEncoder
from tests.training_worlds import Inputs
from train import fit
from train.training.embedding import text_features
from train.training.note_inputs import cached_text_features, encoder_key

TEXTS = ["A dark spot.", "A tan spot, even and round.", "Red, raised, and clotted at its border."]
CPU = torch.device("cpu")


def small_model(max_length: int = 24, **more: object) -> DermNoteModel:
    torch.manual_seed(0)
    size = {"hidden_size": 16, "layers": 1, "heads": 2, "vocab_size": 80, "max_length": max_length}
    encoder = TextEncoder.from_scratch(TEXTS, **size, **more)  # type: ignore[arg-type]
    return DermNoteModel(ImageEncoder("shufflenet_v2_x0_5", None, 32), encoder, 3, 8).eval()


def cached(texts: list[str] = TEXTS, model: DermNoteModel | None = None) -> torch.Tensor:
    return cached_text_features(model or small_model(), texts, 2, CPU)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DERMNOTE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "text_vectors"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Records every note that a text encoder tokenizes."""
    notes: list[str] = []
    original = TextEncoder.tokenize

    def tokenize(self: TextEncoder, texts: list[str]) -> dict[str, torch.Tensor]:
        notes.extend(texts)
        return original(self, texts)

    monkeypatch.setattr(TextEncoder, "tokenize", tokenize)
    return notes


def test_a_note_is_encoded_once(cache: Path, read: list[str]) -> None:
    first = cached()
    assert sorted(read) == sorted(TEXTS)
    torch.testing.assert_close(first, text_features(small_model(), TEXTS, 2, CPU), rtol=1e-5, atol=1e-6)
    read.clear()
    again = cached([TEXTS[2], "New.", TEXTS[0], TEXTS[2], "New."])
    assert read == ["New."] and len(list(cache.iterdir())) == 1
    assert torch.equal(again[[0, 2, 3]], first[[2, 0, 2]]) and torch.equal(again[1], again[4])


def test_another_encoder_has_other_vectors(cache: Path) -> None:
    other, extended, short = small_model(), small_model(), small_model(max_length=4)
    with torch.no_grad():
        next(other.text_encoder.parameters())[0, 0] += 1e-3  # type: ignore[union-attr]
    extended.text_encoder.tokenizer.add_tokens(["spotted"])  # type: ignore[union-attr]
    models = [small_model(), small_model(), small_model(pooling="pooler"), short, other, extended]
    keys = [encoder_key(each.text_encoder) for each in models]  # type: ignore[arg-type]
    assert keys[0] == keys[1] and len(set(keys)) == 5
    assert not torch.allclose(cached(), cached(model=short), atol=1e-4)


def test_a_damaged_cache_is_one_line(cache: Path) -> None:
    cached()
    (file,) = cache.iterdir()
    file.write_bytes(b"no database at all" * 400)
    with pytest.raises(ConfigError, match=r"cannot be cached in .*sqlite \(file is not a database\)") as caught:
        cached()
    assert "delete the file" in caught.value.hint and "\n" not in str(caught.value)


def test_a_truncated_vector_is_computed_again(cache: Path, read: list[str]) -> None:
    whole = cached()
    (file,) = cache.iterdir()
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE vectors SET vector = substr(vector, 1, 7)")
    read.clear()
    torch.testing.assert_close(cached(), whole)
    assert sorted(read) == sorted(TEXTS)


def test_a_cache_that_cannot_be_written_is_one_line(cache: Path) -> None:
    cache.parent.write_text("a file, where a folder should be")
    with pytest.raises(ConfigError, match="Set DERMNOTE_CACHE to a folder with free space"):
        cached()


@pytest.mark.slow
def test_a_second_run_reads_no_note(tmp_path: Path, cache: Path, read: list[str]) -> None:
    small_model().save_pretrained(tmp_path / "text", DermNoteConfig(("a", "b", "c"), 8, strategies=("m",)))
    more = f"epochs: 1\ntext_config: null\ntext_model: {tmp_path / 'text'}\ntext_layers: 0\nmask_diagnosis: 0.5\n"
    inputs = Inputs.write(tmp_path / "inputs", [0, 1, 2] * 4, [0, 1, 2], more)
    assert fit.main(inputs.arguments(tmp_path / "run0", "seed=0")) == 0
    assert read
    read.clear()
    assert fit.main(inputs.arguments(tmp_path / "run1", "seed=1")) == 0
    assert not read


def test_vectors_of_notes_come_back_in_their_order() -> None:
    texts, model = [f"{'very ' * (n % 4)}brown mark {n}" for n in range(9)], small_model()
    single = torch.cat([text_features(model, [text], 1, CPU) for text in texts])
    torch.testing.assert_close(text_features(model, texts, 4, CPU), single, atol=1e-6, rtol=1e-5)
