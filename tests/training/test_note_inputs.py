"""Cache of text vectors: a frozen text encoder encodes each note once, also over several runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import train.training.note_inputs as vectors
from dermnote.config import DermNoteConfig
from dermnote.errors import ConfigError
from dermnote.models.image_encoder import ImageEncoder
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.text_encoder import TextEncoder
from tests.training_worlds import Inputs
from train import fit
from train.training.embedding import text_features

TEXTS = ["A dark spot.", "A tan spot, even and round.", "Red, raised, and clotted at its border."]
CPU = torch.device("cpu")


def small_model(layers: int = 1, **more: object) -> DermNoteModel:
    torch.manual_seed(0)
    encoder = TextEncoder.from_scratch(
        TEXTS, hidden_size=16, layers=layers, heads=2, vocab_size=80, **{"max_length": 24, **more}
    )
    return DermNoteModel(ImageEncoder("shufflenet_v2_x0_5", None, 32), encoder, 3, 8).eval()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DERMNOTE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "text_vectors"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Records every note that a text encoder tokenizes."""
    notes: list[str] = []
    kept = TextEncoder.tokenize

    def tokenize(self: TextEncoder, texts: list[str]) -> dict[str, torch.Tensor]:
        notes.extend(texts)
        return kept(self, texts)

    monkeypatch.setattr(TextEncoder, "tokenize", tokenize)
    return notes


def test_a_note_is_encoded_once(cache: Path, read: list[str]) -> None:
    model = small_model()
    direct = text_features(model, TEXTS, 2, CPU)
    read.clear()
    first = vectors.cached_text_features(model, TEXTS, 2, CPU)
    torch.testing.assert_close(first, direct, rtol=1e-5, atol=1e-6)
    assert sorted(read) == sorted(TEXTS)
    read.clear()
    again = vectors.cached_text_features(model, [TEXTS[2], "New.", TEXTS[0], TEXTS[2], "New."], 2, CPU)
    assert read == ["New."]
    assert torch.equal(again[[0, 2, 3]], first[[2, 0, 2]])
    assert torch.equal(again[1], again[4])
    assert len(list(cache.iterdir())) == 1


def test_another_encoder_has_other_vectors(cache: Path) -> None:
    model, encoders = small_model(), [small_model(pooling="pooler"), small_model(max_length=4)]
    other = small_model()
    with torch.no_grad():
        next(other.text_encoder.parameters())[0, 0] += 1e-3  # type: ignore[union-attr]
    extended = small_model()
    extended.text_encoder.tokenizer.add_tokens(["spotted"])  # type: ignore[union-attr]
    models = [model, *encoders, other, extended]
    assert len({vectors.encoder_key(each.text_encoder) for each in models}) == 5  # type: ignore[arg-type]
    assert vectors.encoder_key(model.text_encoder) == vectors.encoder_key(small_model().text_encoder)  # type: ignore[arg-type]
    features = [vectors.cached_text_features(each, TEXTS, 2, CPU) for each in (model, encoders[1])]
    assert not torch.allclose(*features, atol=1e-4)


def test_a_damaged_cache_is_one_line(cache: Path, read: list[str]) -> None:
    model = small_model()
    vectors.cached_text_features(model, TEXTS, 2, CPU)
    (file,) = cache.iterdir()
    file.write_bytes(b"no database at all" * 400)
    with pytest.raises(ConfigError, match=r"cannot be cached in .*sqlite \(file is not a database\)") as caught:
        vectors.cached_text_features(model, TEXTS, 2, CPU)
    assert "delete the file" in caught.value.hint
    assert "\n" not in str(caught.value)
    file.unlink()
    read.clear()
    vectors.cached_text_features(model, TEXTS, 2, CPU)
    assert sorted(read) == sorted(TEXTS)


def test_a_truncated_vector_is_computed_again(cache: Path, read: list[str]) -> None:
    import sqlite3
    from contextlib import closing

    model = small_model()
    whole = vectors.cached_text_features(model, TEXTS, 2, CPU)
    (file,) = cache.iterdir()
    with closing(sqlite3.connect(file)) as store, store:
        store.execute("UPDATE vectors SET vector = substr(vector, 1, 7)")
    read.clear()
    torch.testing.assert_close(vectors.cached_text_features(model, TEXTS, 2, CPU), whole)
    assert sorted(read) == sorted(TEXTS)


def test_a_cache_that_cannot_be_written_is_one_line(cache: Path) -> None:
    cache.parent.write_text("a file, where a folder should be")
    with pytest.raises(ConfigError, match="Set DERMNOTE_CACHE to a folder with free space"):
        vectors.cached_text_features(small_model(), TEXTS, 2, CPU)


def test_a_second_run_reads_no_note(tmp_path: Path, cache: Path, read: list[str]) -> None:
    config = DermNoteConfig(classnames=("a", "b", "c"), embed_dim=8, temperature=1.0, strategies=("m",), sources=("s",))
    small_model().save_pretrained(tmp_path / "text", config)
    more = f"epochs: 1\ntext_config: null\ntext_model: {tmp_path / 'text'}\ntext_layers: 0\nmask_diagnosis: 0.5\n"
    inputs = Inputs.write(tmp_path / "inputs", [0, 1, 2] * 4, [0, 1, 2], more)
    counts = []
    for number in range(2):
        read.clear()
        assert fit.main(inputs.arguments(tmp_path / f"run{number}", f"seed={number}")) == 0
        counts.append(len(read))
    assert counts[0] > 0
    assert len(set(read)) == counts[1] == 0


def test_vectors_of_notes_come_back_in_their_order() -> None:
    texts = [f"{'very ' * (n % 4)}brown mark {n}" for n in range(9)]
    model = small_model()
    batched = text_features(model, texts, 4, CPU)
    single = torch.cat([text_features(model, [text], 1, CPU) for text in texts])
    torch.testing.assert_close(batched, single, atol=1e-6, rtol=1e-5)
