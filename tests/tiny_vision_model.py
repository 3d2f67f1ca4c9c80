"""A vision language model of a few thousand weights with one fixed answer, loadable by every server.

The blocks of its language part add nothing, so that the next token depends on the last one only: the answer (a single
token) follows the start of the turn, and the end token follows the answer. The image passes through the vision tower as
in other models. With `answer=None` all weights are random.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import ByteLevel as BytesBack
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

WIDTH, SIDE, PATCH = 32, 56, 14
IMAGE, SYSTEM, USER, ASSISTANT, END = "<image>", "<system>", "<user>", "<assistant>", "<end>"
CHAT = (
    "{% for message in messages %}<{{ message.role }}>{% for part in message.content %}"
    "{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}{% endfor %}<end>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def build_tiny_vision_model(folder: Path, answer: str | None) -> None:
    """Save model, tokenizer and image processor."""
    torch.manual_seed(0)
    tokenizer = _tokenizer(answer)
    model = LlavaForConditionalGeneration(_config(tokenizer)).eval()
    if answer is not None:
        _fix_answer(model, tokenizer, answer)
    model.generation_config.eos_token_id = tokenizer.convert_tokens_to_ids(END)
    model.generation_config.pad_token_id = model.generation_config.eos_token_id
    model.save_pretrained(folder)
    images = CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    LlavaProcessor(
        images,
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT,
        image_token=IMAGE,
    ).save_pretrained(folder)


def _tokenizer(answer: str | None) -> PreTrainedTokenizerFast:
    """Byte-level tokenizer with control tokens and the answer as one token."""
    letters = {letter: number for number, letter in enumerate(sorted(ByteLevel.alphabet()))}
    bytewise = Tokenizer(BPE(vocab=letters, merges=[]))
    bytewise.pre_tokenizer, bytewise.decoder = ByteLevel(add_prefix_space=False), BytesBack()
    control = [IMAGE, SYSTEM, USER, ASSISTANT, END]
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bytewise, eos_token=END, pad_token=END)
    tokenizer.add_special_tokens({"additional_special_tokens": control[:-1]})
    if answer is not None:
        tokenizer.add_tokens([AddedToken(answer, normalized=False)])
    return tokenizer


def _config(tokenizer: PreTrainedTokenizerFast) -> Any:
    sizes = {"hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = LlamaConfig(
        **sizes, vocab_size=len(tokenizer), max_position_embeddings=8192, tie_word_embeddings=False, bos_token_id=None
    )
    vision = CLIPVisionConfig(**sizes, image_size=SIDE, patch_size=PATCH)
    image = tokenizer.convert_tokens_to_ids(IMAGE)
    return LlavaConfig(vision_config=vision, text_config=text, image_token_id=image, tie_word_embeddings=False)


@torch.no_grad()
def _fix_answer(model: Any, tokenizer: PreTrainedTokenizerFast, answer: str) -> None:
    language = model.model.language_model
    for block in language.layers:
        block.self_attn.o_proj.weight.zero_()
        block.mlp.down_proj.weight.zero_()
    start, reply, end = tokenizer.convert_tokens_to_ids([ASSISTANT, answer, END])
    language.embed_tokens.weight[[start, reply]] = torch.eye(WIDTH)[:2]
    model.lm_head.weight.zero_()
    model.lm_head.weight[[reply, end]] = torch.eye(WIDTH)[:2]
