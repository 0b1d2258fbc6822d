"""A question about a picture whose answer is known: do the account's word and region carry it?

    python benchmarks/pairs/vqa.py      # minutes; resumes

easy-VQA: 300 pictures of one coloured shape, 2,948 questions, a network of a picture and a question (99.9 %). Picture
(from black) and question (from padding) lie on one path, IG with 16 nodes; explained is the logit of the answer.

    place    whether the largest place of the picture's side lies on the shape, as it is and smoothed by 2 pixels;
             mass: the part of the positive values there. Controls: energy |z|, the centre, random: the shape's part
    word     whether the word with the largest |γ| carries the question: a colour, a shape or a negation; where none is
             named, "color" or "shape", which says what is asked. Controls: a random word, and the last
    causal   how often the answer changes when that word is taken away, against the mean of the other words

Figures are means over pictures of the mean over their questions, with 95 % intervals by resampling pictures.
"""

from __future__ import annotations

import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness import records, rows
from harness.arguments import sized
from harness.data import at
from harness.intervals import interval
from smoothing import smoothed

import wavelens as wl
from wavelens import maps
from wavelens.signals import packed, packed_baseline

RESULTS = Path(__file__).parent / "results"
SETTINGS = {"pictures": 300, "nodes": 16, "smoothing": 2}
DOMAINS = {"wavelets": wl.DWT("haar", levels=4), "pixels": wl.Identity()}
COLOURS = "black brown gray red green blue yellow teal".split()
SHAPES = "circle rectangle triangle".split()
NEGATIONS = "no not".split()
BACKGROUND = 12 / 255  # how far a pixel of the shape is from the background, at least


class EasyVQA(nn.Module):
    """Pictures `(n, 3, 64, 64)` in [0, 1] and word embeddings `(n, width, words)` to the logits of the answers."""

    def __init__(self, stored: dict[str, Tensor]) -> None:
        super().__init__()
        for name in ("c1", "c2", "c3"):
            weight = stored[f"{name}.weight"]
            setattr(
                self, name, nn.Conv2d(weight.shape[1], weight.shape[0], 3, stride=2 if name == "c1" else 1, padding=1)
            )
        for name in ("img", "q1", "q2", "o1", "o2"):
            setattr(self, name, nn.Linear(*stored[f"{name}.weight"].shape[::-1]))
        self.tok = nn.Embedding(*stored["tok.weight"].shape)
        self.load_state_dict(stored)

    def forward(self, *, picture: Tensor, question: Tensor) -> Tensor:
        h = self.c1(picture - 0.5).relu()
        h = nn.functional.max_pool2d(self.c2(h).relu(), 2)
        h = nn.functional.max_pool2d(self.c3(h).relu(), 2)
        q = self.q2(self.q1(question.sum(2)).relu())
        found: Tensor = self.o2(self.o1(self.img(h.flatten(1)) * q).relu())
        return found


@cache
def network() -> tuple[EasyVQA, list[str], list[str]]:
    """The network, the words that it knows, and its answers."""
    path = at("more/vqa/easyvqa.safetensors")
    with safe_open(path, "pt") as stored:
        header = stored.metadata()
    net = EasyVQA({name: t.float() for name, t in load_file(path).items()}).eval().requires_grad_(False)
    return net, header["words"].split(), header["answers"].split(",")


def words_of(question: str) -> list[str]:
    return re.findall(r"[a-z]+", question.lower())


@cache
def pictures() -> Tensor:
    with np.load(at("more/vqa/easyvqa_test.npz")) as arrays:
        (name,) = [key for key in arrays.files if arrays[key].ndim == 4]
        stack = arrays[name]
    return torch.from_numpy(stack).float().movedim(-1, 1) / 255


def shape_of(picture: Tensor) -> Tensor:
    """Where the shape is, `(64, 64)`: what differs from the picture's commonest colour."""
    flat = (255 * picture).round().long().flatten(1)
    code = flat[0] * 65536 + flat[1] * 256 + flat[2]
    common = picture.flatten(1)[:, code == code.mode().values][:, 0]
    return (picture - common[:, None, None]).abs().amax(0) > BACKGROUND


def carrying(words: list[str]) -> list[int]:
    """Which words of a question carry it."""
    named = [k for k, word in enumerate(words) if word in (*COLOURS, *SHAPES, *NEGATIONS)]
    return named or [k for k, word in enumerate(words) if word in ("color", "colour", "shape")]


def about(number: int, questions: list[tuple[str, str]], nodes: int, smoothing: float) -> dict[str, Any]:
    """The figures of one picture: lists over its questions."""
    net, known, answers = network()
    said = [words_of(question) for question, _ in questions]
    length = max(map(len, said))
    ids = torch.tensor([[known.index(w) + 1 for w in own] + [0] * (length - len(own)) for own in said])
    embeddings, padding = net.tok(ids).transpose(1, 2), net.tok.weight[0][:, None]
    x = {"picture": pictures()[number].expand(len(said), -1, -1, -1), "question": embeddings}
    logits = net(**x)
    target = logits.argmax(1).tolist()
    inside = shape_of(pictures()[number])
    found: dict[str, Any] = {"right": [answers[k] == answer for k, (_, answer) in zip(target, questions, strict=True)]}
    for space, a in zip(DOMAINS, accounts(net, x, target, padding, nodes), strict=True):
        rise = a.joint.score - a.joint.baseline_score
        found |= {"gap": a.joint.gap.abs().tolist(), "rise": rise.abs().tolist()}
        for reading in ("signed", "|γ|"):
            heats = maps.spatial_map(a["picture"], signed=reading == "signed")
            found |= places(f"{space}, {reading}", heats, inside, smoothing)
    energy = maps.spatial_map(DOMAINS["wavelets"].analysis(x["picture"][:1]))
    found |= places("energy", energy.expand(len(said), -1, -1), inside, smoothing)
    found["random: hit"] = [float(inside.double().mean())] * len(said)
    found["centre: hit"] = [float(inside[32, 32])] * len(said)
    tokens = a["question"].data.sum(1)
    return found | words_found(tokens, said, embeddings, padding, x["picture"], target)


def accounts(
    net: EasyVQA, x: dict[str, Tensor], target: list[int], padding: Tensor, nodes: int
) -> list[wl.Attributions]:
    """Both sides, the picture's in each of the domains, from the same gradients."""
    joints = [wl.Joint.of(x, {"picture": domain, "question": wl.Identity()}) for domain in DOMAINS.values()]
    model, both, joint = packed(net, x, dict(zip(joints[0].names, joints[0].domains, strict=True)))
    start = packed_baseline(joint, x, {"question": padding, "picture": 0.0}, 0.0)
    method = wl.IntegratedGradients(steps=nodes)
    several = wl.attribute(model, both, target, domain=joints, method=method, baseline=start)
    return [wl.Attributions(a) for a in several]


def places(name: str, heats: Tensor, inside: Tensor, smoothing: float) -> dict[str, list[float]]:
    hits = [float(inside.flatten()[heat.argmax()]) for heat in heats]
    smooth = [float(inside.flatten()[smoothed(heat, smoothing).argmax()]) for heat in heats]
    mass = [float((heat.clamp_min(0) * inside).sum() / heat.clamp_min(0).sum()) for heat in heats]
    return {f"{name}: hit": hits, f"{name}: hit, smoothed": smooth, f"{name}: mass": mass}


def words_found(
    tokens: Tensor, said: list[list[str]], embeddings: Tensor, padding: Tensor, picture: Tensor, target: list[int]
) -> dict[str, list[float]]:
    """Whether the largest word carries the question, by chance too, and what happens when a word is taken away."""
    net, *_ = network()
    found: dict[str, list[float]] = {
        name: [] for name in ("word", "word, random", "word, the last", "fall", "fall, others")
    }
    for row, own, e, x, k in zip(tokens, said, embeddings, picture, target, strict=True):
        right, largest = carrying(own), int(row[: len(own)].abs().argmax())
        without = e.expand(len(own), -1, -1).clone()
        for j in range(len(own)):
            without[j, :, j] = padding[:, 0]
        changed = (net(picture=x.expand(len(own), -1, -1, -1), question=without).argmax(1) != k).double()
        others = torch.cat([changed[:largest], changed[largest + 1 :]])
        found["word"].append(float(largest in right))
        found["word, random"].append(len(right) / len(own))
        found["word, the last"].append(float(len(own) - 1 in right))
        found["fall"].append(float(changed[largest]))
        found["fall, others"].append(float(others.mean()))
    return found


def main() -> None:
    options = sized(__doc__, SETTINGS, {}, RESULTS)
    asked: dict[int, list[tuple[str, str]]] = {}
    for question, answer, number in json.loads(at("more/vqa/easyvqa_test.json").read_text("utf-8")):
        asked.setdefault(number, []).append((question, answer))
    settings = {name: getattr(options, name) for name in ("nodes", "smoothing")}
    keys = [{"number": k, "questions": asked[k]} for k in sorted(asked)[: options.pictures]]

    def compute(number: int, questions: list[tuple[str, str]]) -> dict[str, Any]:
        return {"found": about(number, questions, options.nodes, options.smoothing)}

    table = [row["found"] for row in rows.each(rows.place("pairs-vqa"), settings, keys, compute)]
    figures = {name: interval([float(np.mean(row[name])) for row in table]) for name in table[0]}
    count = sum(len(row["right"]) for row in table)
    record = settings | {"pictures": len(table), "questions": count, "figures": figures}
    print("wrote", records.write(options.results / "vqa.json", record))


if __name__ == "__main__":
    main()
