"""all-MiniLM-L6-v2 of the data at hand as transformers' own BERT, with its tokenizer, and a head over its mean."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import torch
import transformers
from harness.data import at
from safetensors.torch import load_file
from torch import Tensor, nn

from wavelens.models import LoadedModel, TokenEmbeddings
from wavelens.models.sources.hf_text import Encoder

LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "o": "attention.output.dense",
    "ln1": "attention.output.LayerNorm",
    "f1": "intermediate.dense",
    "f2": "output.dense",
    "ln2": "output.LayerNorm",
}
FRONT = {"tok.": "word_embeddings.", "pos.": "position_embeddings.", "ln.": "LayerNorm."}


@cache
def bert() -> Any:
    """The encoder; int8 matrices back in float32."""
    stored = load_file(at("more/clip/minilm_l6_int8.safetensors"))
    scales = {name: stored.pop(name) for name in list(stored) if name.endswith("_scale")}
    wide = {k: t.float() * scales[f"{k}_scale"] if f"{k}_scale" in scales else t.float() for k, t in stored.items()}
    types = wide.pop("typ")
    config = transformers.BertConfig(
        hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536, type_vocab_size=1
    )
    net = transformers.BertModel(config, add_pooling_layer=False).eval().requires_grad_(False)
    state = {_named(name): value for name, value in wide.items()}
    missing, unexpected = net.load_state_dict(
        state | {"embeddings.token_type_embeddings.weight": types.reshape(1, -1)}, strict=False
    )
    assert not unexpected, unexpected
    assert all("position_ids" in name or "token_type_ids" in name for name in missing), missing
    return net


def _named(name: str) -> str:
    """The name of a tensor as transformers has it."""
    layer = re.match(r"layer\.(\d+)\.(\w+)\.(weight|bias)", name)
    if layer:
        return f"encoder.layer.{layer[1]}.{LAYER[layer[2]]}.{layer[3]}"
    front = next(front for front in FRONT if name.startswith(front))
    return f"embeddings.{FRONT[front]}{name.removeprefix(front)}"


@cache
def tokenizer() -> Any:
    """WordPiece over the vocabulary of bert-base-uncased, as transformers runs it."""
    import tokenizers
    from tokenizers import normalizers, pre_tokenizers

    lines = at("more/clip/wordpiece_vocab.txt").read_text(encoding="utf-8").split("\n")
    vocabulary = {piece: k for k, piece in enumerate(lines) if piece}
    made = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, mask_token="[MASK]")


class Sentences(nn.Module):
    """Token embeddings `(n, 384, tokens)`, less that of [MASK], to the mean over all tokens of the last layer."""

    def __init__(self) -> None:
        super().__init__()
        self.bert = bert()
        ids = {name: tokenizer().convert_tokens_to_ids(name) for name in ("[MASK]", "[CLS]", "[SEP]")}
        self.ids = ids

    def forward(self, x: Tensor) -> Tensor:
        table = self.bert.embeddings.word_embeddings.weight
        front, end = (table[self.ids[name]].expand(len(x), 1, -1) for name in ("[CLS]", "[SEP]"))
        tokens = torch.cat([front, x.mT + table[self.ids["[MASK]"]], end], 1)
        found: Tensor = self.bert(inputs_embeds=tokens).last_hidden_state.mean(1)
        return found


def preparation() -> TokenEmbeddings:
    table, mask = bert().embeddings.word_embeddings, tokenizer().convert_tokens_to_ids("[MASK]")
    return TokenEmbeddings(Encoder(tokenizer()), table, mask, longest=510)


def classifier(head: nn.Linear, labels: tuple[str, ...]) -> LoadedModel:
    """A head over sentences as a model that is ready to be explained."""
    return LoadedModel(nn.Sequential(Sentences(), head).eval(), labels, preparation(), "minilm")


def head_on(features: Tensor, labels: Tensor, classes: int, decay: float = 1e-2) -> nn.Linear:
    """A linear head by 200 steps of L-BFGS on unit-length features scaled by 10, folded back to the features."""
    mean, scale = features.mean(0), 10 / (features - features.mean(0)).norm(dim=1).mean()
    weight = torch.zeros(classes, features.shape[1], requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        logits = ((features - mean) * scale) @ weight.T + bias
        loss = nn.functional.cross_entropy(logits, labels) + decay * weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    head = nn.Linear(features.shape[1], classes)
    with torch.no_grad():
        head.weight.copy_(weight * scale)
        head.bias.copy_(bias - (weight * scale) @ mean)
    return head.requires_grad_(False)
