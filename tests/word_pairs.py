"""Small pairs of a signal and a text for tests: random towers in float64, words of one token or two."""

import torch
from torch import nn
from torch.nn.functional import normalize

from wavelens.models.pairs import Pair, Tokens, TwoTowers, Word
from wavelens.models.preparations.image import Geometry

WIDTH, DIM, VOCABULARY = 6, 5, 40
CLS, SEP, PAD, MASK = range(4)


def encode(texts):
    """`[CLS] … [SEP]`, padded; a word of more than four letters has two tokens."""
    rows, words = [], []
    for text in texts:
        row, own = [CLS], []
        for word in text.split():
            parts = [word[:4], word[4:]] if len(word) > 4 else [word]
            own.append(Word(word, len(row), len(row) + len(parts)))
            row += [4 + sum(map(ord, part)) % (VOCABULARY - 4) for part in parts]
        rows.append([*row, SEP])
        words.append(tuple(own))
    length = max(map(len, rows))
    ids = torch.tensor([row + [PAD] * (length - len(row)) for row in rows])
    return Tokens(ids, torch.tensor([[k < len(row) for k in range(length)] for row in rows]), tuple(words))


def weights(source, *shape):
    return nn.Parameter(torch.randn(*shape, generator=source, dtype=torch.float64) / shape[0] ** 0.5)


class Textual(TwoTowers):
    """Token embeddings and places; a subclass has the towers."""

    def __init__(self, shape=(3, 16, 16), scale=7.0, bias=0.5):
        super().__init__(Geometry(shape[1:], shape[1:], squash=True), context=20, scale=scale, bias=bias)
        source = torch.Generator().manual_seed(0)
        self.token = weights(source, VOCABULARY, WIDTH)
        self.place = weights(source, 30, WIDTH)
        self.attend = weights(source, WIDTH, WIDTH)
        self.of_text, self.of_signal = weights(source, WIDTH, DIM), weights(source, shape[0] * shape[1] * shape[2], DIM)
        self.eval()

    @property
    def neutral(self):
        return self.token[MASK]

    def encode(self, texts):
        return encode(texts)

    def embed_tokens(self, ids):
        return self.token[ids].transpose(1, 2)


class Smooth(Textual):
    """Smooth towers: a little attention and a mean over tokens, a tanh of the signal; unit length."""

    def embed_signal(self, x):
        return normalize(torch.tanh(x.flatten(1) @ self.of_signal.to(x.dtype)) + 0.2, dim=-1)

    def embed_text(self, embeddings, mask):
        t = embeddings.transpose(1, 2) + self.place[: embeddings.shape[2]].to(embeddings.dtype)
        q = (t @ self.attend.to(t.dtype))[:, None]
        t = nn.functional.scaled_dot_product_attention(q, t[:, None], t[:, None], mask[:, None, None])[:, 0]
        kept = mask[..., None].to(t.dtype)
        mean = (t * kept).sum(1) / kept.sum(1)
        return normalize(torch.tanh(mean @ self.of_text.to(t.dtype)) + 0.1, dim=-1)


class Bilinear(Textual):
    """Linear towers, of no unit length: the score is bilinear, and each second-order term is known."""

    def embed_signal(self, x):
        return x.flatten(1) @ self.of_signal

    def embed_text(self, embeddings, mask):
        return (embeddings * mask[:, None]).sum(2) @ self.of_text


def meeting(pair):
    """A pair with the scores of another, that is no `TwoTowers`."""

    class Met(Pair):
        neutral = property(lambda self: pair.neutral)
        encode, embed_tokens = staticmethod(pair.encode), staticmethod(pair.embed_tokens)
        read, match = staticmethod(pair.read), staticmethod(pair.match)

    return Met(pair.preprocess, context=20).eval()
