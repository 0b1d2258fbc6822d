"""Accounts of a photo and its caption against the bare passes of both towers.

    python benchmarks/speed/pairs.py [--rounds 5] [--case account]

A ViT-tiny and MiniLM (`benchmarks/pairs/at_hand.py`), one thread. `account`: integrated gradients of 8 photos and
captions, 25 nodes, haar over five levels, against 25 forward and backward passes of both towers to pixels and token
embeddings, frozen and in the same chunks. `words by scale`: exact Shapley values and interactions of 6 scales and 4
words against 1,024 forward passes of both towers, which the same table would take without readings that are kept; of
these 128 are timed and counted eight times.
Times are the processor's, the least of the rounds, in which ours and bare take turns.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from record import least, ratio, replace, timed_parser, turns
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "pairs"))
import at_hand

import wavelens as wl
from wavelens.pairs import pair_accounts, words_by_scale
from wavelens.pairs.text import text_signal

NODES, PHOTOS, ROWS, CAPTION = 25, 8, 16, "a cat on grass"
TIMED = 8  # one in so many of the 1,024 coalitions
COALITIONS = 2**10 // TIMED
DOMAIN = wl.DWT("haar", levels=5)
Case = tuple[Callable[[], Any], Callable[[], Any]]


def photos(count: int) -> tuple[Tensor, list[str]]:
    several = at_hand.coco()["images"][:count]
    return torch.cat([at_hand.photo(one["file"]) for one in several]), [one["captions"][0] for one in several]


def account(pair: Any) -> Case:
    x, captions = photos(PHOTOS)
    text, method = text_signal(pair, captions), wl.IntegratedGradients(steps=NODES)

    def bare() -> None:
        rows = torch.arange(PHOTOS).repeat(NODES)
        for some in rows.split(ROWS):
            points = [part[some].clone().requires_grad_() for part in (x, text.embeddings)]
            torch.autograd.grad(pair.score(*points, text.mask[some]).sum(), points)

    return lambda: pair_accounts(pair, x, captions, domain=DOMAIN, method=method, batch_size=ROWS), bare


@torch.no_grad()
def _scores(pair: Any, x: Tensor, text: Any) -> None:
    for _ in range(COALITIONS // ROWS):
        pair.score(x.expand(ROWS, -1, -1, -1), text.embeddings.expand(ROWS, -1, -1), text.mask.expand(ROWS, -1))


def by_scale(pair: Any) -> Case:
    x, text = photos(1)[0], text_signal(pair, [CAPTION])
    return lambda: words_by_scale(pair, x, CAPTION, domain=DOMAIN), lambda: _scores(pair, x, text)


CASES: dict[str, Callable[[Any], Case]] = {"account": account, "words by scale": by_scale}


def main() -> None:
    options = timed_parser(__doc__, rounds=5, case=CASES).parse_args()
    torch.set_num_threads(1)
    pair = at_hand.photo_text().requires_grad_(False)
    for name in options.case:
        ours, bare = CASES[name](pair)
        seconds = turns({"ours": ours, "bare": bare}, "cpu", options.rounds, clock=time.process_time)
        if name == "words by scale":
            seconds["bare"] = [TIMED * one for one in seconds["bare"]]
        row = {"case": name, "seconds": least(seconds), "ours ÷ bare": round(ratio(seconds, "ours", "bare"), 3)}
        print(json.dumps(row, ensure_ascii=False), flush=True)
        replace("pairs", "cpu", [row], ("case",), nodes=NODES, photos=PHOTOS, rows_per_pass=ROWS)


if __name__ == "__main__":
    main()
