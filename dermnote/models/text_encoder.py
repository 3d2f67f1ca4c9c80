"""Text encoder: a transformers model with its tokenizer, loaded without random layers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from dermnote.errors import BundleError, ConfigError, DermNoteError
from dermnote.hub.bundle import encoder_folder
from dermnote.models.weights import check_names, rounded

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Pooling = Literal["pooler", "mean"]


class TextEncoder(nn.Module):
    """Notes to features.

    Args:
        model: A transformers encoder.
        tokenizer: Its tokenizer.
        max_length: Tokens after which a note is truncated, special tokens included.
        pooling: "pooler" takes the model's own pooled output, "mean" averages the token vectors.

    Raises:
        ConfigError: The model does not support this length or pooling.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        max_length: int = 512,
        pooling: Pooling = "pooler",
    ) -> None:
        super().__init__()
        most = getattr(model.config, "max_position_embeddings", max_length)
        if not 2 <= max_length <= most:
            raise ConfigError(f"max_length must be between 2 and {most} for this text model, not {max_length}.")
        if pooling not in ("pooler", "mean"):
            raise ConfigError(f"Unknown text pooling '{pooling}'.", "Known: pooler, mean.")
        if pooling == "pooler" and getattr(model, "pooler", None) is None:
            raise ConfigError(f"{type(model).__name__} has no pooler.", "Use text_pooling: mean.")
        self.model, self.tokenizer, self.max_length, self.pooling = model, tokenizer, max_length, pooling
        self.feature_dim = int(model.config.hidden_size)
        # In transformers' own config, so that the folder is complete.
        model.config.dermnote_max_length, model.config.dermnote_pooling = max_length, pooling

    def tokenize(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Convert texts to `input_ids`, `attention_mask` and the model's other inputs, each (B, longest) int64."""
        tokens = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.max_length, return_tensors="pt"
        )
        return dict(tokens)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Encode tokens (B, L) to features (B, feature_dim)."""
        extra = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        output = self.model(input_ids=input_ids, attention_mask=attention_mask, **extra)
        if self.pooling == "pooler":
            pooled: Tensor = output.pooler_output
            return pooled
        weights = attention_mask.unsqueeze(-1).to(output.last_hidden_state.dtype)  # (B, L, 1)
        total: Tensor = (output.last_hidden_state * weights).sum(1)
        return total / weights.sum(1).clamp(min=1)

    def save_pretrained(self, folder: str | Path, dtype: str | None = None) -> None:
        """Write a folder that `transformers.AutoModel` and `AutoTokenizer` load."""
        _reset_padding(self.tokenizer)
        state = {name: rounded(tensor, dtype) for name, tensor in self.model.state_dict().items()}
        with _quiet_transformers():
            self.model.save_pretrained(folder, state_dict=state)
            self.tokenizer.save_pretrained(folder)

    @classmethod
    def from_pretrained(
        cls,
        id_or_folder: str | Path,
        revision: str | None = None,
        *,
        local_files_only: bool = False,
        max_length: int | None = None,
        pooling: Pooling | None = None,
    ) -> TextEncoder:
        """Load an encoder from its own folder, from a bundle's, or from the Hub (a bundle, or any BERT-like model).

        `max_length` and `pooling` are read from the folder; for other models they default to the longest input
        and "pooler".

        Raises:
            BundleError: A file or tensor is missing, unexpected or damaged.
        """
        folder = encoder_folder(id_or_folder, "text_encoder", revision, local_files_only)
        try:
            settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BundleError(f"{folder}/config.json does not describe a text model ({error}).") from error
        pooling = pooling or settings.get("dermnote_pooling", "pooler")
        # Files of a language model with its training head hold tensors that are not used here; DermNote's never do.
        exact = "dermnote_pooling" in settings
        model, tokenizer = _load_transformers(folder, pooler=pooling == "pooler", exact=exact)
        length = max_length or settings.get("dermnote_max_length") or settings.get("max_position_embeddings", 512)
        return cls(model, tokenizer, length, pooling).eval()

    @classmethod
    def from_scratch(
        cls,
        texts: Iterable[str],
        *,
        hidden_size: int = 128,
        layers: int = 2,
        heads: int = 2,
        vocab_size: int = 2000,
        max_length: int = 96,
        pooling: Pooling = "mean",
        dropout: float = 0.1,
    ) -> TextEncoder:
        """Build a small BERT with random weights, and a WordPiece vocabulary learnt from `texts`."""
        from transformers import BertConfig, BertModel

        from dermnote.models.wordpiece import train_wordpiece

        if heads < 1 or hidden_size % heads:
            raise ConfigError(f"hidden_size {hidden_size} is not divisible by {heads} heads.")
        tokenizer = train_wordpiece(texts, vocab_size, max_length)
        config = BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=hidden_size,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=4 * hidden_size,
            max_position_embeddings=max_length,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
            pad_token_id=tokenizer.pad_token_id,
        )
        return cls(BertModel(config), tokenizer, max_length, pooling)


def tokenizer_state(tokenizer: PreTrainedTokenizerBase) -> str:
    """Serialise everything that decides the ids of a text, without the padding and truncation of the last call."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return repr(sorted(tokenizer.get_vocab().items()))
    _reset_padding(tokenizer)
    return str(backend.to_str())


def _reset_padding(tokenizer: PreTrainedTokenizerBase) -> None:
    """Drop the padding and truncation that a call leaves in a fast tokenizer; saved files must not depend on it."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        backend.no_padding()
        backend.no_truncation()


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Silence transformers' progress bars and advice inside the block."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _load_transformers(folder: Path, *, pooler: bool, exact: bool) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a model (float32, eval mode) and its tokenizer; without `pooler` the file may lack one."""
    from transformers import AutoModel, AutoTokenizer

    try:
        with _quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)  # a folder  # nosec B615
            model, info = AutoModel.from_pretrained(  # a folder  # nosec B615
                folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
            )
    except DermNoteError:
        raise
    except Exception as error:  # transformers raises many kinds for a damaged folder; all mean the same here
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BundleError(f"{folder} cannot be loaded as a text model ({reason}).") from error
    missing = [name for name in info["missing_keys"] if pooler or not name.startswith("pooler.")]
    if missing and all(name.startswith("pooler.") for name in missing):
        raise BundleError(
            f"{folder} holds a text model without a pooler.", "Take the mean of its tokens: text_pooling=mean."
        )
    shapes = [str(each[0] if isinstance(each, tuple) else each) for each in info["mismatched_keys"]]
    check_names(folder, missing, info["unexpected_keys"] if exact else (), shapes)
    return model.eval(), tokenizer
