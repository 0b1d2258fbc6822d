"""The guide on the app: its snippet runs, and the limits that it names are those of the code."""

import re
from pathlib import Path

from wavelens.app import Limits
from wavelens.app.passwords import FREE_GUESSES
from wavelens.app.request_limits import GRACE_SECONDS, MAX_MESSAGE_BYTES, MIN_BYTES_PER_SECOND
from wavelens.app.server import LOCAL, PORTS, SWEEP
from wavelens.app.service import FRESH

GUIDE = (Path(__file__).parents[1] / "docs/guides/app.md").read_text(encoding="utf-8")


def test_the_snippet():
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    names = {}
    exec(code, names)
    assert names["found"] == ["sky-overlay.png", "sky-report.html", "sky.json", "sky.png", "sky.safetensors"]
    assert {row["label"] for row in names["classes"]} == {"day", "night"}
    assert not Path(names["folder"]).exists()


def test_its_numbers():
    limits, text = Limits(), " ".join(GUIDE.split())
    assert f"http://{LOCAL}:{PORTS[0]}" in text
    assert f"{round(limits.values / 1e6)} million numbers at most, {limits.megabytes:g} MB on the disk" in text
    assert f"{limits.seconds:g} seconds of a sound" in text
    assert (limits.running, limits.waiting, SWEEP, FRESH) == (2, 16, 60, 60)
    browser = f"at most {limits.visitor_files} of them and {limits.visitor_megabytes:g} MB"
    assert f"{browser}, all browsers together {limits.total_megabytes:g} MB" in text
    assert f"At most {limits.pages} pages are open, {limits.pages_per_visitor} of them in one browser" in text
    assert f"other requests have at most {round(MAX_MESSAGE_BYTES / 1000)} kB" in text
    slowly = f"more slowly than {round(MIN_BYTES_PER_SECOND / 1000)} kB per second ends after {GRACE_SECONDS:g} seconds"
    assert slowly in text
    assert FREE_GUESSES == 5
