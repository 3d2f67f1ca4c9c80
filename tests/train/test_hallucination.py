"""The hallucination study, whole and tiny, on lesions that are drawn already."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from comparing_worlds import Forked
from tiny_cases import NAMES, case_row, write_settings

from dermnote.notes.schema import notes_by_case
from dermnote.taxonomy import EIGHT
from train import compare
from train.comparison import hallucination, running
from train.data.cases import Cases, schema
from train.data.sources.drawn import attributes_of

PLAN = """
kind: hallucination
base: {base}
seeds: [3]
kinds: [p3]
rates: [0.0, 0.8]
settings: {{epochs: 1, text_config: {{vocab_size: 200}}, max_length: 48}}
"""


def write_lesions(folder: Path, seed: int, splits: dict[str, int]) -> None:
    """Coloured squares said to be drawn lesions: not what they show matters here, but what is known of them."""
    names = [each.name for each in EIGHT]
    (folder / "data").mkdir(parents=True)
    for split, count in splits.items():
        rows = []
        for number in range(count):
            known = attributes_of(seed, number)
            told = {"label": known.label, "class_id": names.index(known.label), "subtype": known.subtype}
            row = case_row(split, number, told["class_id"] % 3, NAMES)
            own = {"case_id": f"drawn/{seed}-{split}-{number}", "source": "drawn", "group": f"{seed}-{split}-{number}"}
            rows.append({**row, **own, **told, "extra": json.dumps(known.to_mapping())})
        pq.write_table(pa.Table.from_pylist(rows, schema=schema()), folder / "data" / f"{split}-00000-of-00001.parquet")
    summary = {"classnames": names, "sources": {"drawn": {"licence": "cc0-1.0"}}, "splits": splits}
    (folder / "summary.json").write_text(json.dumps(summary))


def test_a_tiny_study_is_run_once_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    write_lesions(out / "cases", 0, {"train": 16, "validation": 8})
    write_lesions(out / "held_out", 1, {"external": 24})
    monkeypatch.setattr(
        hallucination, "draw", lambda plan, out: {name: Cases.read(out / name) for name in ("cases", "held_out")}
    )
    started = []
    monkeypatch.setattr(running, "start", lambda job, log: started.append(job) or Forked(job, log))
    (tmp_path / "plan.yaml").write_text(PLAN.format(base=write_settings(tmp_path / "tiny.yaml")))
    command = ["--config", str(tmp_path / "plan.yaml"), "--out", str(out), "--device", "cpu"]
    assert compare.main(command) == 0
    assert "[3/3] p3/rate-80 seed 3 finished: kappa" in capsys.readouterr().out and len(started) == 3

    told = json.loads((out / "comparison.json").read_text())
    values = {(each["rate"], each["measure"]): each["by_seed"] for each in told["points"]}
    for way in ("image_to_text", "text_to_image"):
        clean, corrupted = (f"map:{name}:masked:{way}" for name in ("clean", "corrupted"))
        assert values[0.0, clean] == values[0.0, corrupted]  # at rate 0 they are the same notes
        assert values[0.8, clean] != values[0.8, corrupted]
    assert len(told["image_only"]["by_seed"]) == 1 and told["n_cases"] == 24
    lost = [each for each in told["losses"] if each["more_than_kappa"]]
    assert {each["kind"] for each in told["losses"]} <= {"p3"}
    clean, corrupted = (notes_by_case(out / f"notes/p3-rate-{rate}-seed-3.jsonl") for rate in (0, 80))
    assert clean.keys() == corrupted.keys() and clean != corrupted
    page = (out / "comparison.md").read_text()
    assert "24 drawn lesions" in page and "None" not in page
    # After one epoch some machines' rounding may leave nothing above chance to lose, and then nothing is told of it.
    assert page.count("cannot be told (too few seeds)") == len(lost) and "than classification |" not in page
    assert compare.main([*command, "--bootstrap", "5"]) == 0 and len(started) == 3
    assert compare.main([*command, "--dry-run"]) == 0
    with pytest.raises(compare.ConfigError, match="draws its own lesions"):
        compare.main([*command, "--cases", "elsewhere"])
