"""What the small networks for AdrenalMNIST3D and VesselMNIST3D reach, and which scales they go by.

    python benchmarks/paper/medmnist3d.py [--explained 100]

AUC and accuracy on the official test splits (Yang et al., 2023), by the same loader and preparation as the command's;
then, for the first volumes, the mean share and signed sum of each scale (WAM-IG, Haar, 2 levels, the class that the
network names). Needs the folder WAVELENS_DATA (weights/NAME_resnet3d.safetensors, volumes/NAMEmnist3d.npz).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from record import at, parser, write
from sklearn.metrics import roc_auc_score

import wavelens as wl

NAMES = ("adrenal", "vessel")


def measured(name: str, explained: int) -> dict[str, Any]:
    path = at(f"volumes/{name}mnist3d.npz")
    model = wl.models.load("resnet3d", weights=at(f"weights/{name}_resnet3d.safetensors"))
    with np.load(path) as arrays:
        stack, labels = arrays["test_images"], arrays["test_labels"].ravel()
    volumes = [wl.frontends.Volume(torch.from_numpy(v).float()[None, None], np.eye(4), "voxel") for v in stack]
    x = torch.cat([model.preprocess(volume) for volume in volumes])
    with torch.no_grad():
        found = torch.cat([model.module(part) for part in x.split(64)]).softmax(1)
    few = x[:explained]
    a = wl.attribute(
        model.module,
        few,
        found[:explained].argmax(1).tolist(),
        domain=wl.DWT("haar", levels=2),
        method=wl.IntegratedGradients(steps=25),
    )
    profile = wl.maps.profile(a)
    return {
        "AUC": round(float(roc_auc_score(labels, found[:, 1])), 4),
        "accuracy": round(float((found.argmax(1).numpy() == labels).mean()), 4),
        "majority": round(float(np.bincount(labels).max() / len(labels)), 4),
        "volumes": len(x),
        "explained": len(few),
        "share": dict(zip(profile.names, profile.share.mean(0).round(decimals=4).tolist(), strict=True)),
        "signed": dict(zip(profile.names, profile.signed.mean(0).round(decimals=3).tolist(), strict=True)),
        "median |gap| ÷ |rise|": round((a.gap.abs() / (a.score - a.baseline_score).abs()).median().item(), 4),
    }


def main() -> None:
    known = parser(__doc__)
    known.add_argument("--explained", type=int, default=100)
    options = known.parse_args()
    torch.set_num_threads(1)
    rows = {name: measured(name, options.explained) for name in NAMES}
    write("medmnist3d", {"rows": rows})
    print(json.dumps(rows, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
