"""Applying a model in two processes of torchrun gives what one gives; precision of a launch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from dermnote.config import DermNoteConfig
from dermnote.errors import ConfigError
from dermnote.models.image_encoder import ImageEncoder
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.text_encoder import TextEncoder
from dermnote.notes.schema import notes_by_case
from tests.places import REPOSITORY
from tests.tiny_cases import NAMES, write_cases, write_square_notes
from train import build_index, evaluate
from train.data.image_cache import Squares
from train.runtime.distributed import batch_shares
from train.runtime.launch import launched, resolve_precision
from train.training.embedding import embed_squares, embed_texts
from train.training.train_config import TextConfig, TrainConfig

KINDS = [0, 1, 2, 1, 0] * 5  # 25 cases: with batches of 4, one process has more than the other, and the last is short


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """As in the processes of torchrun."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Arguments with an untrained run, cases and notes."""
    base = tmp_path_factory.mktemp("launched")
    cases = write_cases(base / "cases", KINDS, [0, 1, 2])
    summary = json.loads((cases / "summary.json").read_text())
    summary["sources"]["squares"] |= {"citation": "none", "splits": {}}
    (cases / "summary.json").write_text(json.dumps(summary))
    notes = write_square_notes(base / "notes.jsonl", KINDS)
    torch.manual_seed(0)
    texts = [text for some in notes_by_case(notes).values() for text in some.values()]
    text = TextEncoder.from_scratch(texts, hidden_size=16, layers=1, max_length=24)
    model = DermNoteModel(ImageEncoder("shufflenet_v2_x0_5", image_size=32), text, len(NAMES), embed_dim=8)
    model.save_pretrained(base / "run" / "best", DermNoteConfig(NAMES, 8, strategies=("m",)))
    (base / "run" / "config.yaml").write_text(TrainConfig(text_config=TextConfig(), text_layers="all").to_yaml())
    return ["--run", str(base / "run"), "--cases", str(cases), "--notes", str(notes), "--batch-size", "4"]


def torchrun(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    # The step's own words come after `--`: torchrun takes `--run` for an abbreviation of its `--run-path`.
    return subprocess.run(
        [*launcher, "-m", "--", *words], cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=300
    )


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def vectors(bundle: Path, name: str) -> np.ndarray:
    import faiss

    index = faiss.read_index(str(bundle / "index" / f"{name}.faiss"))
    return index.reconstruct_n(0, index.ntotal)


@pytest.mark.slow
def test_two_processes_build_the_same_bundle_as_one(made: list[str], tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    assert build_index.main([*made, "--without-metrics", "--out", str(one)]) == 0
    done = torchrun("train.build_index", *made, "--without-metrics", "--out", str(two))
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("Bundle written.") == 1 and "Warning" not in done.stderr
    assert files(one) == files(two) and not list(tmp_path.glob(".two*"))
    for name in ("images", "notes"):
        assert np.abs(vectors(one, name) - vectors(two, name)).max() < 1e-6
    ours, theirs = (pq.read_table(each / "index" / "cases.parquet").to_pandas() for each in (one, two))
    pd.testing.assert_frame_equal(ours, theirs)  # thumbnails too
    assert len(ours) == len(KINDS)  # no case twice, none lost
    configs = [json.loads((each / "config.json").read_text()) for each in (one, two)]
    assert configs[0] == configs[1]


@pytest.mark.slow
def test_two_processes_evaluate_as_one(made: list[str]) -> None:
    words = [*made, "--splits", "train", "--bootstrap", "20", "--device", "cpu"]
    run = Path(made[1])
    assert evaluate.main(words) == 0
    one = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").unlink()
    done = torchrun("train.evaluate", *words)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("Evaluated") == 1
    two = json.loads((run / "metrics.json").read_text())
    assert two["device"] == "cpu, 2 processes"
    assert flat(two["splits"]) == pytest.approx(flat(one["splits"]), abs=1e-6, nan_ok=True)


def flat(metrics: Any, name: str = "") -> dict[str, Any]:
    """Return nested metrics by path."""
    if not isinstance(metrics, dict | list):
        return {name: metrics}
    items = metrics.items() if isinstance(metrics, dict) else enumerate(metrics)
    return {path: value for key, each in items for path, value in flat(each, f"{name}/{key}").items()}


@pytest.mark.slow
def test_an_error_of_one_process_ends_both_with_one_line(made: list[str], tmp_path: Path) -> None:
    """The second process finds a damaged image; the main process prints the error."""
    cases = write_cases(tmp_path / "cases", KINDS, [])
    path = cases / "data" / "train-00000-of-00001.parquet"
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[20]["image"]["bytes"] = b"not an image"
    pq.write_table(type(table).from_pylist(rows, schema=table.schema), path)
    words = [*made, "--without-metrics", "--cases", str(cases), "--out", str(tmp_path / "bundle")]
    done = torchrun("train.build_index", *words)
    assert done.returncode != 0 and done.stderr.count("error: ") >= 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cases"]


def test_shares_are_whole_batches_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    for count in (1, 2, 3, 8):
        monkeypatch.setattr("train.runtime.distributed.world_size", lambda count=count: count)
        for rows in (0, 1, 4, 25, 33):
            shares = batch_shares(rows, 4, shard=True)
            assert len(shares) == count and [row for share in shares for row in share] == list(range(rows))
            assert all(share.start % 4 == 0 for share in shares if share)
            assert max(map(len, shares)) - min(map(len, shares)) < 8  # at most one batch more, and a short one
            assert batch_shares(rows, 4, shard=False) == [range(rows)]


def test_embedding_nothing_gives_nothing(made: list[str]) -> None:
    model, _ = DermNoteModel.from_pretrained(Path(made[1]) / "best")
    device = torch.device("cpu")
    image, logits = embed_squares(model, Squares([], 32, 0), 4, device)
    assert image.shape == (0, 8) and logits.shape == (0, 3)
    assert embed_texts(model, [], 4, device).shape == (0, 8)


def test_one_named_gpu_cannot_serve_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="cuda:1 is one device"), launched("cuda:1"):
        pass


@pytest.mark.parametrize(
    ("gpu", "native", "avx512", "amx", "precision"),
    [
        (False, False, False, False, "no"),
        (False, False, True, False, "bf16"),
        (False, False, False, True, "bf16"),
        (True, True, False, False, "bf16"),
        (True, False, True, True, "no"),  # a GPU before Ampere, with a CPU that could
    ],
)
def test_auto_is_bf16_where_the_hardware_computes_in_it(
    monkeypatch: pytest.MonkeyPatch, gpu: bool, native: bool, avx512: bool, amx: bool, precision: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: native or including_emulation)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert resolve_precision("auto") == precision
    assert [resolve_precision(name) for name in ("no", "bf16", "fp16")] == ["no", "bf16", "fp16"]
