"""docs/benchmarks.md, written from benchmarks/speed/results: no number of that page is typed.

python benchmarks/speed/page.py
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness.tables import show, table

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"

HEAD = """# What it costs

Ratios of times and of peak memory, both measured in one run on one machine; below 1 is in favour of wavelens where it
stands first. The page is generated (`python benchmarks/speed/page.py`) from the records in `benchmarks/speed/results`.
A record that was made in several commands names the last of them.

- **plain**: the model's own forward and backward passes, frozen, as many as the method asks for, and nothing else. They
  are no lower bound: convolutions run in the caller's memory format, and batch norms are not folded.
- **ours**: wavelens, everything included.
- **plain, channels-last**: the same passes with the model run as wavelens runs it. Ours is below 1 where it also saves
  passes or backward work.
- **Captum**: at the same effort and chunk, with the model as a user has it. {captum}
- **five wavelets ÷ one**: the times as they were measured.
- **authors**, **loop**: what the released code of WAM does for sounds and volumes, in its plainest form: noise by
  NumPy, transforms by ptwt inside the loop over samples, a loop over clips for the mel and over volumes for the
  transform, mel filters built in every pass, nothing frozen. The network's passes are in it, too: where they are most
  of the time, no ratio can be large. For metrics a plain loop over masks through PyWavelets.
- **own**: how many rows the engine puts through a network at a time. The milliseconds beside it are those of one
  thread, forward alone or forward and backward to the input.
- **tensor**: the whole photo as a tensor first. **Pillow**: its own decode and resize, in bytes; what differs is in
  1/255 for pixels, in parts of their range for logits.
- **peak memory** is that above what is held before a run. Ours has a copy of the model's tensors in it, from which the
  model comes back as it was. Records that name no load are from before there was one.
- **load** says how many programs ran or waited meanwhile. Where there were more than cores, times are those of the
  processor, in one thread, and least over rounds: a ratio is then good to about a tenth.
- **theirs ÷ ours**, for a domain alone: below the table stands what is slower than 0.9 of theirs, and why. A tree of
  points stands against `DWT("haar")` of as many samples in a row.
- **ours ÷ its passes**: all of WAM-SG over the model's own passes in it.
- **patches** is a network of one convolution, so the transform and not the model is what takes time there.
"""

HEADS = {  # of columns, for the records' names
    r"\bbare\b": "plain",
    r"\bfloor\b": "plain, channels-last",
    "milliseconds a row": "milliseconds per row",
}
FIVE = "five wavelets ÷ one"
FROZEN = "ours ÷ Captum, frozen, channels-last"
CAPTUM = {  # whether the record has it on a model that a user has prepared
    True: "**Frozen,\n  channels-last**: the same calls, the parameters frozen, the model and its input channels-last.",
    False: "On a model that was frozen and\n  made channels-last first it is not on record.",
}
RATIO, SLOW = "theirs ÷ ours", 0.9
WHY_SLOWER = {  # what cannot be reached
    "Fourier": "it calls `torch.fft`, and weights and the order by octaves are two more passes over the spectrum, so 1 "
    "cannot be reached. At lengths such as 110,250 scipy's transform is faster than torch's.",
    "Cosine": "torch has no cosine transform. Ours is a real Fourier transform between two sorts, scipy's is compiled "
    "for cosines; only a compiled kernel for each device could reach it.",
    "STFT": "`torch.stft` leaves each frequency strided in memory, and bands are in one piece: that copy, which "
    "“contiguous” makes too, cannot be saved. Frames also hang over both ends, which torch's do not rebuild.",
    "TreeHaar": "samples are read in the order of the tree, and a million are larger than a cache; a row is read from "
    "one end to the other.",
}
SECTIONS = (
    ("attribution", "Attributions of photos and volumes", ()),
    ("sound", "Attributions of sounds", ()),
    ("volumes", "Attributions of large volumes", ()),
    ("pairs", "Photos and their captions, both sides", ()),
    ("readings", "SmoothGrad times the input, and scales that enter in turn", ()),
    ("values", "Methods without gradients", ()),
    ("in_domains", "WAM-SG in each domain", ()),
    ("metrics", "Insertion and deletion together", ()),
    ("minimal", "Minimal inputs", ()),
    ("chunks", "Milliseconds per row in passes of 1 to 32 rows", ()),
    ("photos", "Photos of 48 megapixels, prepared", ()),
    ("transforms", "The DWT alone, against ptwt", ()),
    ("domains", "The other domains alone", ("name",)),
    ("trees", "TreeHaar on points, against as many samples in a row", ("name", "domain", "against")),
    ("two_trees", "After and before the last reorganisation", ()),
)


def page(results: Path = RESULTS) -> str:
    """The whole page; `FileNotFoundError` where a record is missing."""
    rows = json.loads((results / "attribution-cpu.json").read_text(encoding="utf-8"))["rows"]
    head = HEAD.format(captum=CAPTUM[any(FROZEN in row for row in rows)])
    return "\n".join([head, *(section(name, title, hidden, results) for name, title, hidden in SECTIONS)])


def section(name: str, title: str, hidden: Sequence[str], results: Path) -> str:
    record = json.loads((results / f"{name}-cpu.json").read_text(encoding="utf-8"))
    load = f", load {record['load']}" if "load" in record else ""
    made = f"`{record['command']}`: {record['hardware']}, torch {record['torch']}{load}."
    lines = [f"## {title}", "", made, ""]
    if "summary" in record:
        lines.append(table(("", ""), [(key, show(value)) for key, value in record["summary"].items()]))
    else:
        lines.append(columns([flat(row, hidden) for row in record["rows"]]))
        lines += slower(record["rows"])
    return "\n".join(lines)


def slower(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A line on each domain below `SLOW` of a library: by how much, and why."""
    below: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        if row.get(RATIO, 1) < SLOW:
            below.setdefault(row["name"], {}).setdefault(f"{row['against']} in {row['task']}", []).append(row[RATIO])
    lines = []
    for name, against in below.items():
        spans = [f"{_span(ratios)} of {other}" for other, ratios in against.items()]
        lines.append(f"- `{name}`, {'; '.join(spans)}: {WHY_SLOWER.get(name, 'the reason is not known.')}")
    return [f"Slower than {SLOW} of theirs:", "", *lines, ""] if lines else []


def _span(ratios: Sequence[float]) -> str:
    low, high = show(min(ratios)), show(max(ratios))
    return low if low == high else f"{low} to {high}"


def flat(row: dict[str, Any], hidden: Sequence[str]) -> dict[str, Any]:
    """What a row is about, and its ratios; seconds and megabytes stay in the record."""
    shown = {key: value for key, value in row.items() if key not in hidden and not isinstance(value, dict | list)}
    if FIVE in shown:  # the record's ratio takes the model's passes as equal in both
        shown[FIVE] = round(row["seconds"]["five"] / row["seconds"]["ours"], 3)
    return {headed(key): value for key, value in shown.items()}


def headed(key: str) -> str:
    """A record's name for a column as the page has it."""
    for pattern, text in HEADS.items():
        key = re.sub(pattern, text, key)
    return key


def columns(rows: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(key for row in rows for key in row))
    return table(names, [[show(row.get(name)) for name in names] for row in rows])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
