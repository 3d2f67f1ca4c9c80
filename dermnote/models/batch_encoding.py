"""Pictures and notes in batches through a loaded model: lists in, unit vectors out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar, get_args

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from dermnote.cores import available_cores
from dermnote.errors import ConfigError, IndexQueryError
from dermnote.images.opening import Modality, Picture, prepare_picture, to_square
from dermnote.models.evidence import place_embeddings
from dermnote.models.feature_map import Grid
from dermnote.models.joint_model import DermNoteModel
from dermnote.vectors import Vectors

Dtype = Literal["float32", "bfloat16", "float16"]
Result = TypeVar("Result")
# Pictures of one pass on a CPU, however many are asked for at a time: of more, the maps between the layers are so large
# that the C library gives their memory back after each, and most of the time goes into making pages anew.
CPU_PASS = 8


@dataclass(frozen=True)
class EncodedImage:
    """A picture a model has read: the verbs take it in the picture's place and need not read it again.

    Attributes:
        embedding: (1, embed_dim), not of unit length, of the model that read it and of no other.
        picture: What of it was read: cropped, RGB, without metadata.
    """

    embedding: torch.Tensor
    picture: Image.Image


class Encoding:
    """A model ready to encode. Its methods may be called from several threads at once.

    Attributes:
        model: In eval mode.
        device: It computes on.

    Args:
        model: Is moved and cast in place.
        device: "cpu", "cuda", ...; None takes a GPU if there is one.
        dtype: Of weights and arithmetic; vectors and probabilities come back as float32 all the same. "bfloat16" is
            quicker on processors with instructions for it, and gives cosines to two or three digits.
    """

    def __init__(self, model: DermNoteModel, device: str | None = None, dtype: Dtype = "float32") -> None:
        if dtype not in get_args(Dtype):
            raise ConfigError(f"dtype must be one of {', '.join(get_args(Dtype))}, not {dtype!r}.")
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        # channels_last: the same result, about 1.4 times as fast for convolutions on a CPU
        self.model = model.eval().to(self.device, getattr(torch, dtype), memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._dtype = getattr(torch, dtype)
        self._tokenizing = threading.Lock()  # a fast tokenizer cannot be used by two threads at once
        self._executor: Executor | None = None

    def compute_in(self, executor: Executor) -> None:
        """Leaves every pass through the networks to `executor`; see `DermNote.compute_in`."""
        self._executor = executor

    def images(
        self, images: Sequence[Picture], modality: Modality | None, batch_size: int, *, show_progress: bool = False
    ) -> Vectors:
        """(n, embed_dim) float32, unit rows."""
        return self._in_batches(images, lambda some: self._embed_images(some, modality), batch_size, show_progress)

    def texts(self, texts: Sequence[str], batch_size: int, *, show_progress: bool = False) -> Vectors:
        """(n, embed_dim) float32, unit rows; texts of like length share a batch, so that little of it is padding."""
        if self.model.text_encoder is None:
            raise IndexQueryError(
                "This model was trained on pictures alone and cannot read a text.", "Use another one."
            )
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        found = self._in_batches([texts[row] for row in order], self._embed_texts, batch_size, show_progress)
        vectors = np.empty_like(found)
        vectors[order] = found
        return vectors

    def read(self, image: Picture, modality: Modality | None) -> EncodedImage:
        """One picture, opened, cropped and encoded."""
        cropped = prepare_picture(image, modality)[0]
        return EncodedImage(self._embed_cropped([cropped]), cropped)

    def places(self, cropped: Image.Image) -> tuple[torch.Tensor, Grid]:
        """The embeddings of the places of a picture that was read; see `dermnote.models.evidence.place_embeddings`."""
        return self._computed(lambda: place_embeddings(self.model, self._pixels([cropped])))

    def _embed_images(self, images: Sequence[Picture], modality: Modality | None) -> torch.Tensor:
        with ExitStack() as stack:
            apply: Callable[..., Iterator[Image.Image]] = map
            if (workers := min(len(images), available_cores())) > 1:
                # Pillow leaves the interpreter to others while it decodes and scales
                apply = stack.enter_context(ThreadPoolExecutor(workers)).map
            side = self.model.image_encoder.image_size
            squares = apply(lambda image: to_square(prepare_picture(image, modality)[0], side), images)
            return self._embed_cropped(list(squares))

    def _embed_cropped(self, cropped: Sequence[Image.Image]) -> torch.Tensor:
        """(n, embed_dim), not of unit length: what the classifier takes."""
        size = CPU_PASS if self.device.type == "cpu" else len(cropped)
        passes = [self._computed(partial(self._pass, some)) for some in _batches(cropped, size)]
        return passes[0] if len(passes) == 1 else torch.cat(passes)

    def _pass(self, cropped: Sequence[Image.Image]) -> torch.Tensor:
        embedding: torch.Tensor = self.model.encode_image(self._pixels(cropped))
        return embedding

    def _pixels(self, cropped: Sequence[Image.Image]) -> torch.Tensor:
        pixels = self.model.image_encoder.preprocess(cropped)  # (B, 3, S, S)
        ready: torch.Tensor = pixels.to(self.device, self._dtype).contiguous(memory_format=torch.channels_last)
        return ready

    def unit(self, embedding: torch.Tensor) -> Vectors:
        """(n, embed_dim) float32, unit rows."""
        vectors: Vectors = F.normalize(embedding.float(), dim=-1).cpu().numpy()
        return vectors

    def _embed_texts(self, texts: Sequence[str]) -> torch.Tensor:
        assert self.model.text_encoder is not None
        with self._tokenizing:
            tokens = self.model.text_encoder.tokenize(texts)
        on_device = {name: value.to(self.device) for name, value in tokens.items()}
        embedding: torch.Tensor = self._computed(lambda: self.model.encode_text(**on_device))
        return embedding

    def _computed(self, compute: Callable[[], Result]) -> Result:
        def without_gradients() -> Result:
            with torch.inference_mode():  # of this thread
                return compute()

        return without_gradients() if self._executor is None else self._executor.submit(without_gradients).result()

    def _in_batches(
        self, items: Sequence[Any], embed: Callable[[Sequence[Any]], torch.Tensor], size: int, show_progress: bool
    ) -> Vectors:
        from tqdm.auto import tqdm

        if size < 1:
            raise ConfigError(f"batch_size must be at least 1, not {size}.")
        vectors = [np.zeros((0, self.model.embed_dim), dtype=np.float32)]
        with tqdm(total=len(items), unit="item", desc="encoding", disable=not show_progress) as bar:
            for some in _batches(items, size):
                vectors.append(self.unit(embed(some)))
                bar.update(len(some))
        return np.concatenate(vectors)


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
