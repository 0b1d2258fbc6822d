"""Pairs of open_clip, by the name of their architecture and of their weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wavelens.models.loaded import Parts, Variant
from wavelens.models.naming import read_call, unknown_name
from wavelens.models.pairs import NeedsText, Tokens, TwoTowers, Word
from wavelens.models.preparations.image import Geometry, Normalized
from wavelens.models.text_tokens import givable, given, skeleton, special_id, words_counted, words_of
from wavelens.models.weights import Around, unavailable
from wavelens.optional import optional

LAST = "last"  # how SigLIP's towers pool: padding is read


class OpenClipPhotos(Around):
    """The embedding of photos, of unit length."""

    module: Any

    def forward(self, x: Tensor) -> Any:
        return self.module.encode_image(x, normalize=True)


class OpenClipPair(TwoTowers):
    """A model of open_clip with its tokenizer."""

    def __init__(self, model: Any, tokenizer: Any, preprocess: Geometry, photos: torch.nn.Module) -> None:
        bias = getattr(model, "logit_bias", None)
        super().__init__(
            preprocess,
            context=int(tokenizer.context_length),
            link="softmax" if bias is None else "sigmoid",
            scale=float(model.logit_scale.detach().exp()),
            bias=0.0 if bias is None else float(bias.detach()),
        )
        self.model, self.tokenizer, self.photos = model, tokenizer, photos
        self.inner = getattr(tokenizer, "tokenizer", None)  # of transformers, in some models
        self.end = special_id(self.inner, "eos", "sep") if self.inner else int(tokenizer.eot_token_id)
        self.pad = special_id(self.inner, "pad") if self.inner else 0
        text = getattr(model, "text", model)
        self.embedding = givable(model, _token_embedding(text))
        self.reads_padding = getattr(text, "pool_type", getattr(model, "text_pool_type", "")) == LAST

    @property
    def neutral(self) -> Tensor:
        return self.embedding.weight[special_id(self.inner, "mask", "pad") if self.inner else self.end]

    def encode(self, texts: Sequence[str]) -> Tokens:
        lengths = [self._length(text) for text in texts]
        for text, length in zip(texts, lengths, strict=True):
            self.check_length(text, length)
        ids = self.tokenizer(list(texts)).to(self.embedding.weight.device)
        ends = torch.tensor([[ids.shape[1] if self.reads_padding else length] for length in lengths], device=ids.device)
        mask = torch.arange(ids.shape[1], device=ids.device) < ends
        return Tokens(ids, mask, tuple(map(self._words, texts)))

    def _length(self, text: str) -> int:
        """Tokens of a text with the special ones."""
        if self.inner:
            return len(self.inner(self.tokenizer.clean_fn(text))["input_ids"])
        return len(self.tokenizer.encode(text)) + 2

    def _words(self, text: str) -> tuple[Word, ...]:
        if self.inner:
            return words_of(self.inner, self.tokenizer.clean_fn(text))
        return words_counted(text, self.tokenizer.encode, 1)

    def embed_tokens(self, ids: Tensor) -> Tensor:
        values: Tensor = self.embedding(ids)
        return values.transpose(1, 2)

    def embed_signal(self, x: Tensor) -> Tensor:
        embeddings: Tensor = self.photos(x)
        return embeddings

    def embed_text(self, embeddings: Tensor, mask: Tensor) -> Tensor:
        ids = skeleton(mask, pad=self.pad, end=self.end)
        with given(embeddings.transpose(1, 2)):
            values: Tensor = self.model.encode_text(ids, normalize=True)
        return values


def _token_embedding(text: Any) -> Any:
    if hasattr(text, "token_embedding"):
        return text.token_embedding
    return text.transformer.get_input_embeddings()  # a tower of transformers


def from_open_clip(name: str, variant: Variant) -> Parts:
    """`ValueError`: a pair is no classifier before it is asked for texts."""
    raise NeedsText(f"open_clip:{name}")


def pair_from_open_clip(text: str, weights: str | None = None, trust: bool = False) -> OpenClipPair:
    """A pair of the package open_clip: 'ViT-B-32', or with the name of its weights 'ViT-B-32(pretrained="openai")'.

    Without one the first of `open_clip.list_pretrained_tags_by_model` is taken; `weights` is a file in their place.
    """
    open_clip = optional("open_clip", "clip")
    name, options = read_call("open_clip", text)
    tag = weights or options.pop("pretrained", None)
    if options:
        raise ValueError(f"open_clip: takes pretrained beside a name; got {', '.join(options)}.")
    if ":" not in name and name not in open_clip.list_models():
        raise unknown_name("open_clip", name, open_clip.list_models(), "open_clip.list_models() has all.")
    tag = tag or next(iter(open_clip.list_pretrained_tags_by_model(name)), None)
    if tag is None and ":" not in name:
        raise ValueError(f"open_clip has no weights for {name}. Name a file of them (--weights FILE).")
    if weights is not None and not Path(weights).is_file():
        raise FileNotFoundError(f"no such weights: {weights}. Give a checkpoint file.")
    try:
        model = open_clip.create_model(name, pretrained=tag)
        tokenizer = open_clip.get_tokenizer(name)
    except Exception as error:  # open_clip and its hub client share no base class
        raise unavailable(f"open_clip:{name}", error) from error
    geometry, scaling = _prepared(name, open_clip.get_model_preprocess_cfg(model))
    return OpenClipPair(model.eval(), tokenizer, geometry, Normalized(OpenClipPhotos(model), *scaling))


def _prepared(name: str, config: dict[str, Any]) -> tuple[Geometry, tuple[Any, Any]]:
    """How the model's photos are resized, and the mean and deviation of their pixels."""
    size = config["size"]
    height, width = (size, size) if isinstance(size, int) else size
    mode = config.get("resize_mode", "shortest")
    if mode not in ("shortest", "squash"):
        raise ValueError(f"photos are resized by their shortest side or squashed; {name} resizes by {mode!r}.")
    geometry = Geometry((height, width), (height, width), mode == "squash", config.get("interpolation", "bicubic"))
    return geometry, (tuple(config["mean"]), tuple(config["std"]))
