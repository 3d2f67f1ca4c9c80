"""A frozen text encoder reads each note once, also over runs; and which of its layers learn."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_cases import write_cases, write_settings, write_square_notes
from training_worlds import settings

import train.training.text_vectors as vectors
from dermnote.config import DermNoteConfig
from dermnote.errors import ConfigError
from dermnote.models.image_encoder import ImageEncoder
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.text_encoder import TextEncoder
from train import fit
from train.training.embedding import text_features
from train.training.optim import set_trainable
from train.training.train_config import TrainConfig

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
    """Every note that a text encoder was given to read."""
    notes: list[str] = []
    kept = TextEncoder.tokenize

    def tokenize(self: TextEncoder, texts: list[str]) -> dict[str, torch.Tensor]:
        notes.extend(texts)
        return kept(self, texts)

    monkeypatch.setattr(TextEncoder, "tokenize", tokenize)
    return notes


def test_a_note_is_read_once(cache: Path, read: list[str]) -> None:
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
    spoken = small_model()
    spoken.text_encoder.tokenizer.add_tokens(["spotted"])  # type: ignore[union-attr]
    models = [model, *encoders, other, spoken]
    assert len({vectors.encoder_key(each.text_encoder) for each in models}) == 5  # type: ignore[arg-type]
    assert vectors.encoder_key(model.text_encoder) == vectors.encoder_key(small_model().text_encoder)  # type: ignore[arg-type]
    features = [vectors.cached_text_features(each, TEXTS, 2, CPU) for each in (model, encoders[1])]
    assert not torch.allclose(*features, atol=1e-4)


def test_a_damaged_cache_is_one_line(cache: Path, read: list[str]) -> None:
    model = small_model()
    vectors.cached_text_features(model, TEXTS, 2, CPU)
    (file,) = cache.iterdir()
    file.write_bytes(b"no database at all" * 400)
    with pytest.raises(ConfigError, match=r"cannot be kept in .*sqlite \(file is not a database\)") as caught:
        vectors.cached_text_features(model, TEXTS, 2, CPU)
    assert "delete the file" in caught.value.hint
    assert "\n" not in str(caught.value)
    file.unlink()
    read.clear()
    vectors.cached_text_features(model, TEXTS, 2, CPU)
    assert sorted(read) == sorted(TEXTS)


def test_a_vector_cut_short_is_made_anew(cache: Path, read: list[str]) -> None:
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
    with pytest.raises(ConfigError, match="Set DERMNOTE_CACHE to a folder with room"):
        vectors.cached_text_features(small_model(), TEXTS, 2, CPU)


def test_a_second_run_reads_no_note(tmp_path: Path, cache: Path, read: list[str]) -> None:
    kinds = [0, 1, 2] * 4
    model = small_model()
    config = DermNoteConfig(classnames=("a", "b", "c"), embed_dim=8, temperature=1.0, strategies=("m",), sources=("s",))
    model.save_pretrained(tmp_path / "text", config)
    write_cases(tmp_path / "cases", kinds, [0, 1, 2])
    write_square_notes(tmp_path / "notes.jsonl", kinds)
    write_settings(tmp_path / "run.yaml", f"epochs: 1\ntext_config: null\ntext_model: {tmp_path / 'text'}\n")
    given = ["--config", str(tmp_path / "run.yaml"), "--cases", str(tmp_path / "cases")]
    given += ["--notes", str(tmp_path / "notes.jsonl"), *settings("text_layers=0", "mask_diagnosis=0.5")]
    counts = []
    for number in range(2):
        read.clear()
        assert fit.main([*given, "--out", str(tmp_path / f"run{number}"), *settings(f"seed={number}")]) == 0
        counts.append(len(read))
    assert counts[0] > 0
    assert len(set(read)) == counts[1] == 0


@pytest.mark.parametrize(
    ("layers", "learning"),
    [
        (0, set()),
        (1, {"layer.2"}),
        (2, {"layer.1", "layer.2"}),
        ("all", {"embeddings", "layer.0", "layer.1", "layer.2"}),
    ],
)
def test_text_layers_says_what_learns(layers: int | str, learning: set[str]) -> None:
    model = small_model(layers=3)
    set_trainable(model, TrainConfig(text_model="any", text_layers=layers))  # type: ignore[arg-type]
    parts = {"embeddings": "embeddings.", **{f"layer.{number}": f"encoder.layer.{number}." for number in range(3)}}
    named = dict(model.text_encoder.model.named_parameters())  # type: ignore[union-attr]
    for part, prefix in parts.items():
        marked = {each.requires_grad for name, each in named.items() if name.startswith(prefix)}
        assert marked == {part in learning}, part
    assert {each.requires_grad for name, each in named.items() if name.startswith("pooler")} <= {False}
    heads = [*model.classifier.parameters(), *model.image_projection.parameters()]
    assert all(each.requires_grad for each in [*heads, *model.text_projection.parameters()])  # type: ignore[union-attr]


def test_more_layers_than_there_are_is_one_line() -> None:
    with pytest.raises(ConfigError, match="text_layers is 4, but the text model has 3 layers"):
        set_trainable(small_model(layers=3), TrainConfig(text_model="any", text_layers=4))
