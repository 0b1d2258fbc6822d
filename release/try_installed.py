"""Whether the wavelens that is installed here is whole: run by the Python of an environment that has nothing else.

python -I release/try_installed.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import files, requires, version
from pathlib import Path

COMMAND = Path(sys.executable).with_name("wavelens")
NEEDED = ("py.typed", "data/imagenet1k.txt", "data/esc50.txt", "app/assets/page.css", "reports/assets/page.html")
TINY = """
import torch

from wavelens.models import Geometry, LoadedModel


def net():
    torch.manual_seed(0)
    parts = torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    net = torch.nn.Sequential(*parts, torch.nn.Linear(4, 2)).eval()
    return LoadedModel(net, ("left", "right"), Geometry((64, 64), (64, 64)), "tiny")
"""


def main() -> None:
    try_files()
    with tempfile.TemporaryDirectory() as folder:
        try_command(Path(folder))


def try_files() -> None:
    """The package has its data and its types, and nothing that is for its developers."""
    installed = [str(path) for path in files("wavelens") or ()]
    inside = {path.removeprefix("wavelens/") for path in installed if path.startswith("wavelens/")}
    check(inside >= set(NEEDED), f"files are missing: {set(NEEDED) - inside}")
    others = {path.partition("/")[0] for path in installed} - {"wavelens", f"wavelens-{version('wavelens')}.dist-info"}
    check(others <= {".."}, f"more is installed than the package and its command: {sorted(others)}")
    bare = [one for one in requires("wavelens") or () if "extra ==" not in one]
    check(bool(bare), "the package asks for nothing")


def try_command(folder: Path) -> None:
    """From an empty folder: the version, the doctor, and an explanation of the photo that matplotlib brings."""
    import matplotlib

    import wavelens as wl

    check(wl.__version__ == version("wavelens"), f"the package says {wl.__version__}")
    check(run(folder, "--version") == f"wavelens {wl.__version__}\n", "--version prints something else")
    run(folder, "doctor")
    (folder / "tiny.py").write_text(TINY, encoding="utf-8")
    photo = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    run(folder, "explain", str(photo), "--model", "tiny:net", "--report", "--out", "out")
    names = {path.name for path in (folder / "out").iterdir()}
    check(names >= {"grace_hopper.png", "grace_hopper.safetensors", "report.html"}, f"files are missing: {names}")
    summary = json.loads((folder / "out" / "grace_hopper.json").read_text(encoding="utf-8"))
    a = wl.Attribution.load(folder / "out" / "grace_hopper.safetensors")
    assert a.score is not None
    assert a.baseline_score is not None
    rise, account = float(a.score - a.baseline_score), float(wl.maps.profile(a).signed.sum())
    check(abs(rise - account) <= 0.02 * abs(rise) + 1e-6, f"the account is {account}, the rise {rise}")
    check(bool(summary), "the summary is empty")


def run(folder: Path, *arguments: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run([COMMAND, *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"wavelens {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise SystemExit(f"error: {otherwise}")


if __name__ == "__main__":
    main()
