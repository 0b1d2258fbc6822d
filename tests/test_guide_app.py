"""The guide on the app: its snippet runs, and the limits that it names are those of the code."""

import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

from wavelens.app import Limits
from wavelens.app.server import LOCAL, PORTS, SWEEP

GUIDE = (Path(__file__).parents[1] / "docs/guides/app.md").read_text(encoding="utf-8")


def test_the_snippet():
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    photo = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 60, 3), dtype=np.uint8)).save(photo, "PNG")
    names = {"photo": photo.getvalue()}
    exec(code, names)
    assert names["found"] == ["sky-report.html", "sky.json", "sky.png", "sky.safetensors"]
    assert {row["label"] for row in names["classes"]} == {"day", "night"}
    assert not Path(names["folder"]).exists()


def test_its_numbers():
    limits, text = Limits(), " ".join(GUIDE.split())
    assert f"http://{LOCAL}:{PORTS[0]}" in text
    assert f"{round(limits.values / 1e6)} million numbers at most, {limits.megabytes:g} MB on the disk" in text
    assert f"{limits.seconds:g} seconds of a sound" in text
    assert (limits.running, limits.waiting, SWEEP) == (2, 16, 600)
