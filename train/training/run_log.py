"""What a run writes down: one line an epoch on the screen, in log.jsonl, and as TensorBoard scalars."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dermnote.storage import replacing_file

SHOWN = ("kappa", "balanced_accuracy", "macro_f1")


class RunLog:
    """Log of a run.

    Args:
        folder: The run's folder.
        finished: Epochs that count; what a stopped run wrote beyond them is taken back.
    """

    def __init__(self, folder: Path, finished: int = 0) -> None:
        self._path = folder / "log.jsonl"
        kept = [row for row in read_log(self._path) if row["epoch"] <= finished]
        with replacing_file(self._path) as aside:
            aside.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
        self._board = _open_board(folder / "tensorboard", finished)

    def write(self, row: dict[str, Any]) -> None:
        """Adds an epoch: `epoch`, `losses` by part, `validation` by metric, and other numbers."""
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
        if self._board is not None:
            for name, value in _scalars(row).items():
                self._board.add_scalar(name, value, row["epoch"])
            self._board.flush()

    def close(self) -> None:
        """Closes the TensorBoard file."""
        if self._board is not None:
            self._board.close()


def read_log(path: Path) -> list[dict[str, Any]]:
    """The rows of a log.jsonl; a torn last line (the run was killed) is passed over."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


def describe(row: dict[str, Any], epochs: int) -> str:
    """The line of an epoch."""
    parts = " ".join(f"{name} {value:.3f}" for name, value in row["losses"].items())
    scores = " ".join(f"{name} {_number(row['validation'][name])}" for name in SHOWN)
    best = "  *best*" if row["best"] else ""
    skipped = f" | {row['skipped']} steps skipped: loss not finite" if row["skipped"] else ""
    return (
        f"epoch {row['epoch']}/{epochs} | loss {parts} | validation {scores}"
        f" | {row['images_per_second']:.0f} img/s{skipped}{best}"
    )


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _scalars(row: dict[str, Any]) -> dict[str, float]:
    named = {f"loss/{name}": value for name, value in row["losses"].items()}
    named |= {f"validation/{name}": value for name, value in row["validation"].items() if value is not None}
    return named | {name: row[name] for name in ("lr", "images_per_second")}


def _open_board(folder: Path, finished: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        print("TensorBoard is not installed: log.jsonl holds the same numbers.")
        return None
    return SummaryWriter(str(folder), purge_step=finished + 1)
