"""Text classifiers of transformers, called with embeddings in place of tokens, so that an account refers to words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from wavelens.models.loaded import Parts
from wavelens.models.preparations.text import Encoded, FromEmbeddings, TextWindows, TokenEmbeddings
from wavelens.optional import optional

BLANKS = ("mask_token_id", "pad_token_id", "unk_token_id", "eos_token_id")  # the first that a tokenizer has
UNBOUNDED = 1_000_000  # tokens: tokenizers that know no bound name a larger number


@dataclass(frozen=True, eq=False)
class Encoder:
    """The ids and characters of a text's tokens by a tokenizer of transformers, without special tokens."""

    tokenizer: Any

    def __call__(self, content: str) -> Encoded:
        encoding = self.tokenizer(content, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return encoding["input_ids"], encoding["offset_mapping"]


def is_text(config: Any) -> bool:
    """Whether transformers has a classifier of texts for this configuration, and none of pictures."""
    auto = optional("transformers.models.auto.modeling_auto", "hf")
    kind = config.model_type
    return bool(
        kind in auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES
        and kind not in auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES
    )


def text_parts(
    name: str,
    module: Any,
    tokenizer: Any,
    labels: tuple[str, ...],
    link: str,
    file_names: Mapping[str, str],
    windows: bool = False,
) -> Parts:
    """A text classifier of transformers that takes token embeddings; `ValueError` for a tokenizer without offsets."""
    if not getattr(tokenizer, "is_fast", False):
        raise ValueError(
            f"hf: takes text classifiers whose tokenizer says which characters each token has; that of {name}, "
            f"{type(tokenizer).__name__}, does not. Give a function that returns a LoadedModel."
        )
    blank, (start, end) = _blank(name, tokenizer), _edges(tokenizer)
    if module.config.pad_token_id is None:  # classifiers that read the last token want one, and are given no padding
        module.config.pad_token_id = blank
    longest = _longest(module, tokenizer)
    room = None if longest is None else longest - len(start) - len(end)
    preparation = TokenEmbeddings(Encoder(tokenizer), module.get_input_embeddings(), blank, room, windows)
    inner: nn.Module = FromEmbeddings(module.float(), blank, start, end, file_names)
    return Parts(inner if room is None else TextWindows(inner, room), preparation, labels, link)


def _blank(name: str, tokenizer: Any) -> int:
    known = (getattr(tokenizer, attribute, None) for attribute in BLANKS)
    blank = next((number for number in known if number is not None), None)
    if blank is None:
        raise ValueError(
            f"a text's baseline is the model's mask or padding token; the tokenizer of {name} has neither. Give a "
            "function that returns a LoadedModel."
        )
    return int(blank)


def _edges(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens that the tokenizer puts in front of a text and behind it."""
    encoding = tokenizer("a", return_special_tokens_mask=True)
    ids, special = encoding["input_ids"], encoding["special_tokens_mask"]
    inside = [k for k, one in enumerate(special) if not one] or [len(ids)]
    return list(ids[: inside[0]]), list(ids[inside[-1] + 1 :])


def _longest(module: Any, tokenizer: Any) -> int | None:
    """How many tokens the model takes, special ones included; None where nothing bounds them."""
    bounds = [getattr(tokenizer, "model_max_length", None), getattr(module.config, "max_position_embeddings", None)]
    for name, table in module.named_modules():
        if name.endswith("position_embeddings") and isinstance(table, nn.Embedding):
            padding = table.padding_idx  # in the family of RoBERTa positions begin behind that of padding
            bounds.append(table.num_embeddings - (0 if padding is None else padding + 1))
    known = [bound for bound in bounds if bound is not None and 0 < bound < UNBOUNDED]
    return min(known, default=None)
