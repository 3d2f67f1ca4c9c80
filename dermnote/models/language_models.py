"""Transformers models and tokenizers from a folder: quietly, and never with a layer left at random values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from dermnote.errors import BundleError, DermNoteError
from dermnote.models.weights import check_names


@contextmanager
def quiet() -> Iterator[None]:
    """Silences transformers' progress bars and advice inside the block, and puts both back."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def load_language_model(folder: Path, *, pooler: bool, exact: bool) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Loads a model (float32, eval mode) and its tokenizer from a local folder.

    Args:
        folder: As `save_pretrained` of transformers writes it.
        pooler: Whether the pooler is used; if not, a file without one will do.
        exact: Whether tensors the model has no place for are an error. The files of a language model with its
            training head hold such tensors, ours never do.

    Raises:
        BundleError: The folder is not a model's, or tensors are missing, extra or of another shape.
    """
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)  # a folder  # nosec B615
            model, info = AutoModel.from_pretrained(  # a folder  # nosec B615
                folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
            )
    except DermNoteError:
        raise
    except Exception as error:  # transformers raises many kinds for a damaged folder; all mean the same here
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BundleError(f"{folder} cannot be loaded as a text model ({reason}).") from error
    _check(folder, info, pooler=pooler, exact=exact)
    return model.eval(), tokenizer


def _check(folder: Path, info: dict[str, Any], *, pooler: bool, exact: bool) -> None:
    missing = [name for name in info["missing_keys"] if pooler or not name.startswith("pooler.")]
    if missing and all(name.startswith("pooler.") for name in missing):
        raise BundleError(
            f"{folder} holds a text model without a pooler.", "Take the mean of its tokens: text_pooling=mean."
        )
    shapes = [str(each[0] if isinstance(each, tuple) else each) for each in info["mismatched_keys"]]
    check_names(folder, missing, info["unexpected_keys"] if exact else (), shapes)


def tokenizer_state(tokenizer: PreTrainedTokenizerBase) -> str:
    """Everything that decides how a text becomes ids, as one string; what the last call left behind is not in it."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return repr(sorted(tokenizer.get_vocab().items()))
    forget_last_call(tokenizer)
    return str(backend.to_str())


def forget_last_call(tokenizer: PreTrainedTokenizerBase) -> None:
    """Drops the padding and truncation that a call leaves in a fast tokenizer; saved files must not depend on it."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        backend.no_padding()
        backend.no_truncation()
