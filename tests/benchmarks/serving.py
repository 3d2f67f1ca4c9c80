"""Serving time against the bare networks: one image, many images, many notes, and the first answer.

    python -m tests.benchmarks.serving --json serving.json
    python -m tests.benchmarks.serving --small           # small networks: whether it runs at all

DenseNet121 at 224 px and BERT-base with random weights (which does not change the speed), an index of 1,000 cases.
Contestants take turns, peers among themselves (after a peer's turn the caches hold its data); the figures are medians
and ratios of medians. About six minutes on two idle cores. The same images are also encoded by open_clip and
sentence-transformers, where they are installed:

    pip install -r tests/benchmarks/requirements.txt
"""

from __future__ import annotations

import copy
import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

from dermnote import DermNote
from dermnote.config import DermNoteConfig
from dermnote.index.case_index import CaseIndex
from dermnote.models.image_encoder import ImageEncoder
from dermnote.models.joint_model import DermNoteModel
from dermnote.models.text_encoder import TextEncoder
from dermnote.taxonomy import EIGHT
from tests.benchmarks.figures import drawn_jpeg, new_parser, write_json

Encode = Callable[[Sequence[Image.Image]], np.ndarray]


def _open_clip(folder: Path) -> Encode:
    import open_clip

    made = open_clip.create_model("ViT-B-16", load_weights=False)
    model, preprocess = made.eval(), open_clip.image_transform(made.visual.image_size, is_train=False)

    def encode(images: Sequence[Image.Image]) -> np.ndarray:
        with torch.inference_mode():
            vectors: np.ndarray = model.encode_image(torch.stack([preprocess(each) for each in images])).numpy()
        return vectors

    return encode


def _sentence_transformers(folder: Path) -> Encode:
    from sentence_transformers import SentenceTransformer
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer

    CLIPModel(CLIPConfig()).save_pretrained(folder)  # ViT-B/32
    letters = ["<|startoftext|>", "<|endoftext|>", "a", "a</w>"]  # a tokenizer must be there; it reads nothing here
    tokenizer = CLIPTokenizer(vocab={letter: at for at, letter in enumerate(letters)}, merges=[])
    CLIPProcessor(CLIPImageProcessor(), tokenizer).save_pretrained(folder)
    model = SentenceTransformer(str(folder), device="cpu")
    return lambda images: model.encode(list(images), batch_size=len(images), show_progress_bar=False)


# By title: the package, and a function that loads the peer from an empty folder it may write to.
PEERS: dict[str, tuple[str, Callable[[Path], Encode]]] = {
    "open_clip ViT-B/16": ("open_clip", _open_clip),
    "sentence-transformers CLIP ViT-B/32": ("sentence_transformers", _sentence_transformers),
}


CASES, BATCH, WIDTH = 1000, 64, 128
# Each line says what is timed, against what, and its target ratio ("at most" if True).
TARGETS = {"one image": (1.3, True), "many images": (0.9, False), "many notes": (2.0, False)}
STARTS = {  # Python, with the path of an image to insert
    "nothing": "pass",
    "imports": "import torch, torchvision, transformers",
    "import dermnote": "import dermnote",
    "first answer": "from dermnote import DermNote; DermNote.from_pretrained().classify({image!r})",
}


def main(argv: Sequence[str] | None = None) -> int:
    parser = new_parser(__doc__)
    parser.add_argument("--small", action="store_true", help="small networks and few items")
    parser.add_argument("--rounds", type=int, default=30, help="turns of each contestant (%(default)s)")
    args = parser.parse_args(argv)
    torch.manual_seed(0)
    model = built(small=args.small)
    with tempfile.TemporaryDirectory() as folder:
        installed = {} if args.small else {title: each for title, each in PEERS.items() if find_spec(each[0])}
        peers = {title: load(Path(folder)) for title, (_, load) in installed.items()}
    rows = [one_image(model, peers, args.rounds), many_images(model, peers, args.rounds // 5 or 1)]
    rows += [many_notes(model, args.rounds // 10 or 1, 64 if args.small else 512)]
    lines = [*map(line, rows), *starts(3)]
    lines += [f"{title}: not installed, left out" for title, (package, _) in PEERS.items() if not find_spec(package)]
    print("\n".join(lines))
    write_json(args.json, {"figures": rows, "lines": lines})
    return 0


def built(*, small: bool) -> DermNote:
    """Return a model with an index, all numbers random."""
    backbone, side = ("shufflenet_v2_x0_5", 64) if small else ("densenet121", 224)
    size = {"hidden_size": 32, "layers": 1} if small else {"hidden_size": 768, "layers": 12, "heads": 12}
    text = TextEncoder.from_scratch(notes(200), vocab_size=2000, max_length=128, **size)
    model = DermNoteModel(ImageEncoder(backbone, image_size=side), text, len(EIGHT), WIDTH)
    config = DermNoteConfig(tuple(each.name for each in EIGHT), WIDTH, strategies=("m",))
    random = np.random.default_rng(0)
    vectors = [random.normal(size=(CASES, WIDTH)).astype(np.float32) for _ in range(2)]
    unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in vectors]
    table = pd.DataFrame({"case_id": [f"x/{row}" for row in range(CASES)], "note": "a nevus", "label": "nevus"})
    return DermNote(model, config, CaseIndex.build(table, *unit, [None] * CASES, "f" * 64), device="cpu")


def notes(count: int) -> list[str]:
    """Return notes of 5 to 60 words, as they come."""
    words = " ".join(DermNote.from_pretrained(device="cpu").index.columns("note")["note"]).split()
    random = np.random.default_rng(1)
    lengths, starts = random.integers(5, 61, count), random.integers(0, len(words) - 61, count)
    return [" ".join(words[start : start + length]) for start, length in zip(starts, lengths, strict=True)]


def one_image(model: DermNote, peers: Mapping[str, Encode], rounds: int) -> dict[str, Any]:
    """Time the way from the bytes of a file to classes and notes, against the bare image encoder on a ready tensor.

    Peers compute a vector from the bytes.
    """
    data = drawn_jpeg(0)
    side = model.model.image_encoder.image_size
    ready = torch.randn(1, 3, side, side).contiguous(memory_format=torch.channels_last)

    def answer() -> None:
        read = model.read_image(data)
        model.classify(read)
        model.find_notes(read)

    def through(encode: Encode) -> Callable[[], object]:
        return lambda: encode([Image.open(io.BytesIO(data)).convert("RGB")])

    times = in_turns({"bare": lambda: bare(model, ready), "ours": answer}, rounds)
    times |= in_turns({name: through(each) for name, each in peers.items()}, rounds)
    taken = {name: 1e3 * seconds for name, seconds in times.items()}
    return row("one image", "ms", taken, "bare", "the bare forward")


def many_images(model: DermNote, peers: Mapping[str, Encode], rounds: int) -> dict[str, Any]:
    """Measure images a second in a batch, from decoded images, against the bare image encoder on a ready batch.

    The bare encoder also takes an eighth of it at a time: a pass of 64 is dominated by page faults.
    """
    images = [Image.open(io.BytesIO(drawn_jpeg(seed))).convert("RGB") for seed in range(8)] * (BATCH // 8)
    side = model.model.image_encoder.image_size
    ready = torch.randn(BATCH, 3, side, side).contiguous(memory_format=torch.channels_last)

    def through(encode: Encode) -> Callable[[], object]:
        return lambda: encode(images)

    ways: dict[str, Callable[[], object]] = {
        "bare": lambda: bare(model, ready),
        "the bare forward in eighths": lambda: [bare(model, some) for some in ready.chunk(8)],
        "ours": lambda: model.encode(images, batch_size=BATCH),
    }
    times = in_turns(ways, rounds) | in_turns({name: through(each) for name, each in peers.items()}, rounds)
    rates = {name: BATCH / seconds for name, seconds in times.items()}
    return row("many images", "images/s", rates, "bare", "the bare forward")


def many_notes(model: DermNote, rounds: int, count: int) -> dict[str, Any]:
    """Measure notes a second, against a plain loop of the same tokenizer and BERT: float32, in the order they come."""
    texts, encoder = notes(count), model.model.text_encoder
    assert encoder is not None
    short = DermNote(copy.deepcopy(model.model), model.config, model.index, device="cpu", dtype=best_dtype())

    def plain() -> None:
        with torch.no_grad():
            for start in range(0, count, BATCH):
                tokens = encoder.tokenizer(texts[start : start + BATCH], padding=True, truncation=True, max_length=128)
                encoder.model(**tokens.convert_to_tensors("pt"))

    ways = {"plain": plain, "ours": lambda: short.encode(texts, batch_size=BATCH)}
    rates = {name: count / seconds for name, seconds in in_turns(ways, rounds).items()}
    return row("many notes", f"notes/s ({best_dtype()})", rates, "plain", "transformers in a plain loop, float32")


def row(what: str, unit: str, figures: Mapping[str, float], other: str, against: str) -> dict[str, Any]:
    """Return the figures of one contest: "ours", the one it is measured against, and the peers'."""
    peers = {name: value for name, value in figures.items() if name not in ("ours", other)}
    whole = {"what": what, "unit": unit, "ours": figures["ours"], "other": figures[other], "against": against}
    return whole | {"ratio": figures["ours"] / figures[other], "peers": peers}


def best_dtype() -> Any:
    """Return bfloat16 on a processor with instructions for it."""
    return "bfloat16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "float32"


def bare(model: DermNote, ready: torch.Tensor) -> None:
    with torch.inference_mode():
        model.model.image_encoder(ready)


def in_turns(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return median seconds of each, one after another `rounds` times, once unmeasured."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, run in ways.items():
            begun = time.perf_counter()
            run()
            if turn:
                times[name].append(time.perf_counter() - begun)
    return {name: statistics.median(each) for name, each in times.items()}


def starts(rounds: int) -> list[str]:
    """Time fresh processes: imports needed in any case, the first answer of the starter, and the bare import."""
    with tempfile.NamedTemporaryFile(suffix=".jpg") as image:
        image.write(drawn_jpeg(0))
        image.flush()
        codes = {name: code.format(image=image.name) for name, code in STARTS.items()}
        times = in_turns({name: (lambda code=code: _python(code)) for name, code in codes.items()}, rounds)
    ratio = times["first answer"] / times["imports"]
    alone = times["import dermnote"] - times["nothing"]
    return [
        f"import dermnote: {alone:.3f} s (target: under 0.3)",
        f"first answer of the starter: {times['first answer']:.2f} s, importing torch, torchvision and transformers"
        f" {times['imports']:.2f}: {ratio:.2f} times (target: under 1.5)",
    ]


def _python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def line(row: Mapping[str, Any]) -> str:
    wanted, at_most = TARGETS[row["what"]]
    target = f"target: at {'most' if at_most else 'least'} {wanted}"
    peers = "".join(f"; {name} {value:.1f}" for name, value in row["peers"].items())
    return (
        f"{row['what']}: {row['ours']:.1f} {row['unit']}, {row['against']} {row['other']:.1f}:"
        f" {row['ratio']:.2f} times ({target}){peers}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
