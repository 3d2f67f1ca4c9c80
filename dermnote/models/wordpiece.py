"""WordPiece vocabulary learnt from notes, for a text encoder trained from scratch."""

from __future__ import annotations

import string
from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_PRIVATE = 0xF0000  # a private plane of Unicode, which no note uses
_LAST = 0xFFFF  # the highest character that fits into the plane
# Always included, so that an unseen word is spelt out instead of becoming [UNK].
_ALPHABET = string.ascii_lowercase + string.digits + string.punctuation


def train_wordpiece(texts: Iterable[str], vocab_size: int, max_length: int) -> PreTrainedTokenizerBase:
    """Learn a lower-case WordPiece vocabulary; it does not depend on the order of the texts.

    Args:
        texts: Training texts; duplicates count once.
        vocab_size: Maximum number of entries, special ones included (all characters are kept, even beyond it).
        max_length: Maximum number of tokens in a text, [CLS] and [SEP] included.
    """
    normalizer, splitter = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    split = (splitter.pre_tokenize_str(normalizer.normalize_str(text)) for text in sorted(set(texts)))
    vocabulary = learn_vocabulary(([word for word, _ in words] for words in split), vocab_size)
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # a word  # noqa: S106  # nosec B106
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.BertProcessing(
        ("[SEP]", SPECIAL.index("[SEP]")), ("[CLS]", SPECIAL.index("[CLS]"))
    )
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    tokens = dict(zip(names, SPECIAL, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=max_length, **tokens)


def learn_vocabulary(texts: Iterable[list[str]], vocab_size: int) -> dict[str, int]:
    """Return pieces and their ids, the special ones first; pieces inside a word start with "##".

    The library's WordPiece trainer breaks ties by a random hash order, so that two runs differ. Its BPE trainer is
    deterministic: letters inside a word are mapped to separate characters, and the pieces mapped back.
    """
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(
        vocab_size=max(0, vocab_size - len(SPECIAL)),
        min_frequency=2,
        show_progress=False,
        special_tokens=[],
        initial_alphabet=[*_ALPHABET, *map(_inside, string.ascii_lowercase + string.digits)],
    )
    bpe.train_from_iterator((" ".join(map(_move, words)) for words in texts), trainer)
    pieces = [_move_back(piece) for piece, _ in sorted(bpe.get_vocab().items(), key=lambda item: item[1])]
    return {piece: number for number, piece in enumerate([*SPECIAL, *pieces])}


def _move(word: str) -> str:
    """Map every letter but the first to the private plane; characters that do not fit are dropped."""
    word = "".join(letter for letter in word if ord(letter) <= _LAST)
    return word[:1] + "".join(map(_inside, word[1:]))


def _inside(letter: str) -> str:
    return chr(ord(letter) + _PRIVATE)


def _move_back(piece: str) -> str:
    inside = ord(piece[0]) >= _PRIVATE
    letters = "".join(chr(ord(letter) - _PRIVATE) if ord(letter) >= _PRIVATE else letter for letter in piece)
    return f"##{letters}" if inside else letters
