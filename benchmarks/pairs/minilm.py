"""all-MiniLM-L6-v2, a sentence encoder, from the files at hand: WordPiece and six layers of BERT."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness.data import at

from wavelens.models.pairs import Tokens, Word

WIDTH, HEADS, LAYERS = 384, 12, 6
CONTEXT = 256  # tokens; what the model was trained on
PIECE = re.compile(r"[\w]+|[^\w\s]")


@cache
def vocabulary() -> dict[str, int]:
    lines = at("more/clip/wordpiece_vocab.txt").read_text(encoding="utf-8").split("\n")
    return {piece: k for k, piece in enumerate(lines) if piece}


def plain(text: str) -> str:
    """Lower case without accents."""
    return "".join(c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")


def pieces_of(part: str) -> list[str]:
    """WordPiece: the longest piece that is known, again and again; `[UNK]` where none is."""
    known, pieces, start = vocabulary(), [], 0
    while start < len(part):
        for stop in range(len(part), start, -1):
            piece = ("##" if start else "") + part[start:stop]
            if piece in known:
                pieces.append(piece)
                start = stop
                break
        else:
            return ["[UNK]"]
    return pieces


def tokenize(texts: Sequence[str]) -> Tokens:
    """`[CLS] … [SEP]`, padded to the longest; words are what spaces separate, without punctuation at their ends."""
    known, rows, words = vocabulary(), [], []
    for text in texts:
        row, own = [known["[CLS]"]], []
        for chunk in text.split():
            start = len(row)
            for part in PIECE.findall(plain(chunk)):
                pieces = pieces_of(part)
                row += [known[piece] for piece in pieces]
            if len(row) > start:
                own.append(Word(chunk, start, len(row)))
        rows.append([*row, known["[SEP]"]])
        words.append(tuple(own))
    length = max(map(len, rows))
    ids = torch.tensor([row + [known["[PAD]"]] * (length - len(row)) for row in rows])
    mask = torch.tensor([[k < len(row) for k in range(length)] for row in rows])
    return Tokens(ids, mask, tuple(words))


class Layer(nn.Module):
    """Attention and a feed-forward part, each with its residual and a norm behind."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.f1, self.f2 = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.ln1, self.ln2 = (nn.LayerNorm(WIDTH, eps=1e-12) for _ in range(2))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q, k, v = (f(x).unflatten(-1, (HEADS, -1)).transpose(1, 2) for f in (self.q, self.k, self.v))
        attended = scaled_dot_product_attention(q, k, v, mask[:, None, None]).transpose(1, 2).flatten(2)
        x = self.ln1(x + self.o(attended))
        normed: Tensor = self.ln2(x + self.f2(gelu(self.f1(x))))
        return normed


class MiniLM(nn.Module):
    """Token embeddings before positions `(n, 384, length)` and their mask to the mean over tokens `(n, 384)`."""

    typ: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.tok, self.pos = nn.Embedding(30522, WIDTH), nn.Embedding(512, WIDTH)
        self.ln = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layer = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.register_buffer("typ", torch.zeros(WIDTH))

    def forward(self, embeddings: Tensor, mask: Tensor) -> Tensor:
        x = embeddings.transpose(1, 2)
        x = self.ln(x + self.pos.weight[: x.shape[1]] + self.typ)
        for layer in self.layer:
            x = layer(x, mask)
        kept = mask[..., None].to(x.dtype)
        return (x * kept).sum(1) / kept.sum(1)


@cache
def minilm() -> MiniLM:
    """The network with its weights, int8 matrices back in float32."""
    stored = load_file(at("more/clip/minilm_l6_int8.safetensors"))
    scales = {name: stored.pop(name) for name in list(stored) if name.endswith("_scale")}
    net = MiniLM()
    net.load_state_dict(
        {k: t.float() * scales[f"{k}_scale"] if f"{k}_scale" in scales else t for k, t in stored.items()}
    )
    return net.eval().requires_grad_(False)
