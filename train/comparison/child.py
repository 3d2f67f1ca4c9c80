"""One training of a comparison, in a process of its own: train or go on, evaluate, measure case by case.

    python -m train.comparison.child OUT/cells/internal/m/seed-0.json

What it is given is written by `train.comparison.running`; whatever fails here costs this one cell.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import fit
from ..runtime.console import run
from ..training.run_folder import load_run
from .per_case import write_per_case


def main(argv: Sequence[str] | None = None) -> int:
    """Does what the job's file says."""
    (path,) = sys.argv[1:] if argv is None else argv
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    out = job["run"]
    given = ["--cases", job["cases"], *(["--notes", job["notes"]] if job["notes"] else [])]
    fit.main(["--config", job["config"], *given, "--out", out, "--resume"])
    if job["evaluate"]:
        from .. import evaluate  # its packages take seconds to import, which studies of many small runs spare

        device = ["--device", job["device"]] if job["device"] else []
        evaluate.main(["--run", out, *given, "--bootstrap", str(job["bootstrap"]), *device])
    write_per_case(load_run(out), job["measured"], job["queries"], same_cases=job["same_cases"], device=job["device"])
    return 0


if __name__ == "__main__":
    run(main)
