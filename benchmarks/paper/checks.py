"""`wavelens.check` on real photos, sounds and volumes: the figures behind its thresholds.

    python benchmarks/paper/checks.py --photos 2        # five minutes on one thread
    python benchmarks/paper/checks.py --photos 12 --sounds 6 --volumes 12

For each network and input the verdicts on the class that the network names first, explained by integrated gradients
with a tolerance of 2 %; for photos also whether bfloat16 would do. results/checks.json has every figure, and the worst
and the best of each. Needs the folder WAVELENS_DATA.
"""

from __future__ import annotations

from typing import Any

import at_hand
import torch
from record import options, write

import wavelens as wl

Row = dict[str, Any]


def photos(count: int) -> list[Row]:
    found = []
    for name in at_hand.photo_names(count):
        x = at_hand.photo(name)
        for network in at_hand.IMAGE_NETWORKS:
            net = at_hand.image_network(network)
            rows = judged(net, x, wl.DWT("haar", levels=5))
            target = net(x).argmax(1)
            half = wl.checks.precise(net, x, target, autocast=torch.bfloat16)
            found.append({"network": network, "input": name, **rows, "precise in bfloat16": half.figures})
    return found


def volumes(count: int) -> list[Row]:
    found = []
    for name in ("adrenal", "vessel"):
        stack, _ = at_hand.medmnist(name)
        weights = at_hand.folder() / "weights" / f"{name}_resnet3d.safetensors"
        net = wl.models.load("resnet3d", weights=weights).module
        for i in range(0, len(stack), -(-len(stack) // count)):
            rows = judged(net, stack[i : i + 1], wl.DWT("haar", levels=2))
            found.append({"network": name, "input": i, **rows})
    return found


def sounds(count: int) -> list[Row]:
    found = []
    clips = sorted(at_hand.clips())
    for name, file in (("micro-acdnet", "micro_acdnet_esc50_fold4"), ("yamnet", "yamnet_audioset")):
        model = wl.models.load(name, weights=at_hand.folder() / "weights" / f"{file}.safetensors")
        for clip in clips[:: -(-len(clips) // count)] if count else []:
            path = at_hand.folder() / "audio" / "esc50_fold4" / clip.replace(".wav", ".flac")
            x = model.preprocess(wl.frontends.read_audio(path))
            found.append({"network": name, "input": clip, **judged(model.module, x, wl.DWT("db4", levels=8))})
    return found


def judged(net: torch.nn.Module, x: torch.Tensor, domain: wl.Domain) -> Row:
    found = wl.check(net, x, domain=domain)
    return {
        v.check: {"status": v.status, **{k: float(f"{n:.3g}") for k, n in v.figures.items()}} for v in found.verdicts
    }


def spread(rows: list[Row]) -> Row:
    """How often each verdict was given, and the least and largest of each figure."""
    found: Row = {}
    for name in wl.checks.CHECKS:
        statuses = [row[name]["status"] for row in rows]
        figures = sorted({key for row in rows for key in row[name]} - {"status"})
        ends = {key: [row[name][key] for row in rows if key in row[name]] for key in figures}
        found[name] = {status: statuses.count(status) for status in sorted(set(statuses))} | {
            key: [min(values), max(values)] for key, values in ends.items()
        }
    return found


def main() -> None:
    chosen = options(__doc__, {"photos": 2, "sounds": 2, "volumes": 4}, {"photos": 12, "sounds": 6, "volumes": 12})
    rows = photos(chosen.photos) + volumes(chosen.volumes) + sounds(chosen.sounds)
    found = spread(rows)
    for name, figures in found.items():
        print(name, figures)
    print("wrote", write("checks", {"spread": found, "rows": rows}, chosen.results))


if __name__ == "__main__":
    main()
