"""Images a second of `train.prepare`, by number of worker processes.

    python -m tests.benchmarks.prepare --milk10k ../shared/data/milk10k --json prepare.json

Without `--milk10k`, it times generated images of the same size (600 x 450).
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from dermnote.images.opening import MAX_PIXELS
from tests.benchmarks.figures import markdown, new_parser, write_json
from train.data.image_preparation import prepare_all
from train.data.sources import RawCase, get_reader


def generated(folder: Path, count: int) -> list[RawCase]:
    """Return images of blurry dark spots on noisy skin."""
    random = np.random.default_rng(0)
    ys, xs = np.mgrid[:450, :600]
    for index in range(count):
        spot = np.exp(-((xs - 300) ** 2 + (ys - 225) ** 2) / random.uniform(3e3, 2e4))[..., None]
        pixels = np.array([200, 160, 140]) - spot * 120 + random.normal(0, 8, (450, 600, 1))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{index}.jpg", quality=92)
    return [RawCase(f"g/{i}", "g", "dermoscopy", folder / f"{i}.jpg", group=f"g/{i}") for i in range(count)]


def measure(cases: list[RawCase], workers: int) -> dict[str, float]:
    """Time one pass, starting the processes included; processor time of the children is independent of load."""

    def cpu_seconds() -> float:
        return sum(sum(resource.getrusage(kind)[:2]) for kind in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

    start, cpu = time.perf_counter(), cpu_seconds()
    failed = sum(bool(each.error) for each in prepare_all(cases, workers=workers, max_pixels=MAX_PIXELS))
    seconds, cpu = time.perf_counter() - start, cpu_seconds() - cpu
    figures = {"images_per_second": len(cases) / seconds, "cpu_ms_per_image": 1000 * cpu / len(cases)}
    return {"workers": workers, "images": len(cases), "failed": failed, **figures}


def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument("--milk10k", type=Path, help="the MILK10k folder")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        read = get_reader("milk10k").read(str(args.milk10k)) if args.milk10k else generated(Path(folder), args.images)
        cases = [case for case in read if isinstance(case, RawCase)][: args.images]
        rows = [measure(cases, workers) for workers in args.workers]
    head = ["workers", "images", "images/s", "CPU ms/image"]
    figures = [[f"{row['images_per_second']:.0f}", f"{row['cpu_ms_per_image']:.1f}"] for row in rows]
    print(markdown([head, *([row["workers"], row["images"], *each] for row, each in zip(rows, figures, strict=True))]))
    write_json(args.json, {"rows": rows})


if __name__ == "__main__":
    main()
