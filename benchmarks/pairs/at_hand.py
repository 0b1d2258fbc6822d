"""The pairs that are at hand: a ViT and MiniLM joined by trained projections, for photos; YAMNet and MiniLM for sounds.

    python benchmarks/pairs/at_hand.py

measures what the README of the data states of the first: retrieval on 82 COCO photos and their 410 captions, none of
which the pair was trained on. Where the data are, WAVELENS_DATA says.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import gelu, linear, normalize

sys.path.insert(0, str(Path(__file__).parents[1]))
import minilm
from harness import coco, records
from harness.data import at
from harness.intervals import interval

import wavelens as wl
from wavelens.models import Sampling, load
from wavelens.models.networks.yamnet import MIN_SAMPLES, RATE
from wavelens.models.pairs import Tokens, TwoTowers
from wavelens.models.preparations.image import Geometry

RESULTS = Path(__file__).parent / "results"
SQUEEZED = Geometry((224, 224), (224, 224), squash=True)
SAMPLING = Sampling(RATE, least=MIN_SAMPLES)
HALF = 0.5  # mean and standard deviation of a pixel


class WithMiniLM(TwoTowers):
    """A pair whose texts go through MiniLM; what differs is what becomes of its 384 numbers."""

    text: minilm.MiniLM

    @property
    def neutral(self) -> Tensor:
        return self.text.tok.weight[minilm.vocabulary()["[MASK]"]]

    def encode(self, texts: Sequence[str]) -> Tokens:
        tokens, device = minilm.tokenize(texts), self.scale.device
        return Tokens(tokens.ids.to(device), tokens.mask.to(device), tokens.words)

    def embed_tokens(self, ids: Tensor) -> Tensor:
        return self.text.tok(ids).transpose(1, 2)


class PhotoText(WithMiniLM):
    """Photos `(n, 3, 224, 224)` in [0, 1] and texts, each in 256 dimensions."""

    def __init__(self, vit: nn.Module, text: nn.Module, heads: dict[str, Tensor], scale: str = "logit_scale") -> None:
        super().__init__(SQUEEZED, context=minilm.CONTEXT, scale=float(heads[scale].exp()))
        self.vit, self.text = vit, text
        for name, value in heads.items():
            self.register_buffer(f"head_{name.replace('.', '_')}", value, persistent=False)

    def embed_signal(self, x: Tensor) -> Tensor:
        features = self.vit.forward_head(self.vit.forward_features((x - HALF) / HALF), pre_logits=True)
        return normalize(linear(features, self.head_image_weight, self.head_image_bias), dim=-1)

    def embed_text(self, embeddings: Tensor, mask: Tensor) -> Tensor:
        z = self.text(embeddings, mask)
        hidden = gelu(linear(z, self.head_text2_weight, self.head_text2_bias))
        return normalize(
            linear(z, self.head_text_weight, self.head_text_bias) + linear(hidden, self.head_text3_weight), dim=-1
        )


class SoundText(WithMiniLM):
    """Sounds at 16 kHz and texts such as "the sound of a dog", in MiniLM's 384 dimensions: nothing is trained.

    A clip lies at the mean of the names of AudioSet's classes, weighted with YAMNet's scores (ConSE, Norouzi et al.,
    2014), both less the mean of the names.
    """

    def __init__(self, yamnet: nn.Module, text: nn.Module, names: Tensor, mean: Tensor) -> None:
        super().__init__(SAMPLING, context=minilm.CONTEXT)
        self.yamnet, self.text = yamnet, text
        self.register_buffer("names", normalize(names - mean, dim=-1), persistent=False)
        self.register_buffer("mean", mean, persistent=False)

    def embed_signal(self, x: Tensor) -> Tensor:
        return normalize(torch.sigmoid(self.yamnet(x)) @ self.names, dim=-1)

    def embed_text(self, embeddings: Tensor, mask: Tensor) -> Tensor:
        return normalize(normalize(self.text(embeddings, mask), dim=-1) - self.mean, dim=-1)


@cache
def vit_tiny() -> nn.Module:
    import timm

    net = timm.create_model("vit_tiny_patch16_224")
    net.load_state_dict({k: t.float() for k, t in load_file(at("weights/vit_tiny_patch16_224.safetensors")).items()})
    return net.eval().requires_grad_(False)


def photo_text() -> PhotoText:
    """The pair for captions; scores as it was trained on them."""
    return PhotoText(vit_tiny(), minilm.minilm(), load_file(at("more/clip/lit_heads.safetensors"))).eval()


def photo_names() -> PhotoText:
    """The pair for "a photo of a NAME.", whose scale was trained on such."""
    heads = load_file(at("more/clip/lit_heads.safetensors"))
    return PhotoText(vit_tiny(), minilm.minilm(), heads, "cls_scale").eval()


def sound_text() -> SoundText:
    """The pair for sounds; ask it for "the sound of …"."""
    yamnet = load("yamnet", weights=at("weights/yamnet_audioset.safetensors")).module.requires_grad_(False)
    names = load_file(at("more/audiotext/audioset_names_minilm.safetensors"))
    return SoundText(yamnet, minilm.minilm(), names["class_text"], names["mean"]).eval()


def photo(file: str) -> Tensor:
    return SQUEEZED(wl.frontends.read_image(coco.photo_path(file)))


@torch.no_grad()
def retrieval() -> dict[str, Any]:
    """Recall at k of photos by captions and of captions by photos, with 95 % intervals over what is searched by."""
    pair, images = photo_text(), coco.annotations()["images"]
    photos = torch.cat([pair.embed_signal(photo(one["file"])) for one in images])
    tokens = pair.tokenize([caption for one in images for caption in one["captions"]])
    parts = zip(pair.embed_tokens(tokens.ids).split(64), tokens.mask.split(64), strict=True)
    texts = torch.cat([pair.embed_text(*part) for part in parts])
    owner = torch.tensor([k for k, one in enumerate(images) for _ in one["captions"]])
    scores = photos @ texts.T
    by_text = (scores.T.argsort(1, descending=True) == owner[:, None]).int().argmax(1)
    by_photo = (owner[scores.argsort(1, descending=True)] == torch.arange(len(photos))[:, None]).int().argmax(1)

    def recalls(rank: Tensor) -> dict[str, Any]:
        return {f"R@{k}": interval((rank < k).double().tolist()) for k in (1, 5, 10)}

    counts = {"photos": len(photos), "captions": len(texts)}
    return counts | {"text to photo": recalls(by_text), "photo to text": recalls(by_photo)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(records.write(RESULTS / "retrieval.json", retrieval()))
