"""A kind of signal that wavelens does not know, as a user writes it: all of it is in this one file.

Electrocardiograms of several leads, in text files that end in .ecg: the rate in Hz and the names of the leads in the
first line, then the voltages in mV, one row for each sample.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

import wavelens as wl
from wavelens.explaining import FileSize, Input, Writer
from wavelens.grid import Grid
from wavelens.reports import Entry, ReportView, View, packed_maps

BYTES_PER_VALUE = 2  # of text, at least: a digit and a comma


@dataclass(frozen=True, eq=False)
class Recording:
    """`data` `(1, lead, samples)` in mV, its `rate` in Hz and the names of its `leads`."""

    data: Tensor
    rate: float
    leads: tuple[str, ...]

    @property
    def grid(self) -> Grid:
        return Grid((1 / self.rate,), ("s",))


def read_recording(path: Path) -> Recording:
    """The recording in a file; `ValueError` for what is none."""
    try:
        (rate, *leads), *rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
        return Recording(torch.tensor([[float(v) for v in row] for row in rows]).T[None], float(rate), tuple(leads))
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no recording: {error}. Its first line is rate,lead,lead,…") from None


def write_recording(path: Path, data: Tensor, rate: float, leads: Sequence[str]) -> None:
    rows = [",".join(f"{v:.6g}" for v in row) for row in data[0].T.tolist()]
    path.write_text("\n".join([",".join([f"{rate:g}", *leads]), *rows]) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class FirstSeconds:
    """The first samples of a recording, `(1, leads, samples)`."""

    shape: tuple[int, int]
    kind: ClassVar[str] = "ecg"

    def __call__(self, recording: Recording) -> Tensor:
        leads, samples = self.shape
        if recording.data.shape[1] != leads or recording.data.shape[2] < samples:
            raise ValueError(f"the model takes {leads} leads of {samples} samples; got {tuple(recording.data.shape)}.")
        return recording.data[:, :, :samples]

    def grid(self, recording: Recording) -> Grid:
        return recording.grid


class Halves(nn.Module):
    """The power of the first and the second half: an early beat, or a late one."""

    def forward(self, x: Tensor) -> Tensor:
        return 20 * torch.stack([half.square().mean((1, 2)) for half in x.tensor_split(2, -1)], 1)


def net() -> wl.models.LoadedModel:
    """What `--model ecg:net` loads."""
    return wl.models.LoadedModel(Halves().eval(), ("early beat", "late beat"), FirstSeconds((2, 256)), "ecg:net")


def domain(axes: tuple[int, ...]) -> wl.DWT:
    return wl.DWT("db4", levels=min(4, int(math.log2(min(axes)))))


def panel(a: wl.Attribution, shown: Input, title: str):
    return wl.plots.panel(a, shown.x, title=f"ECG {title}", grid=shown.grid)


def show(entry: Entry, room: int) -> View:
    """Each lead as a curve, and the map of each scale over time."""
    samples = entry.x.shape[-1]
    step = max(1, -(-samples * entry.x.shape[1] // room))
    payload = {
        "unit": "sample",
        "end": float(wl.plots.common_scale(entry.attribution)),
        "seconds": samples * entry.place.spacing[0],
        "leads": [[float(f"{v:.4g}") for v in lead] for lead in entry.x[0, :, ::step].tolist()],
        "maps": packed_maps(entry, room, (1.0,)),
    }
    return View(payload, "")


SCRIPT = """
VIEWS.ecg = (data, state, place) => {
  const maps = new Maps(data.maps, data.end), top = Math.max(...data.leads.flat().map(Math.abs)) || 1;
  const axis = { length: data.seconds, unit: "s" };
  const curve = (values) => (pen, { left, width, height, ink }) => {
    pen.strokeStyle = ink;
    pen.beginPath();
    values.forEach((value, k) => pen.lineTo(left + (width * k) / values.length, (height * (1 - value / top)) / 2));
    pen.stroke();
  };
  const leads = data.leads.map((values, k) => new Pane(`lead ${k + 1}`, 60, curve(values)));
  const strip = new Pane("the attribution over time", 40, (pen, { left, width, height }) => {
    const layer = maps.layer(state);
    pen.fillStyle = "#000";
    pen.fillRect(left, 0, width, height);
    pen.drawImage(heat(maps.shape[0], 1, (k) => layer.values[k], layer)[0], left, 0, width, height);
  }, axis);
  const panes = make("div", { class: "panes" }, ...[...leads, strip].map(({ element }) => element));
  place.append(card("When", panes, controls(state, maps), legend(state, data.end, data.unit)));
  state.listen(() => strip.redraw());
};
"""


def write(shown: Input, x: Tensor, path: Path) -> None:
    write_recording(path, x.cpu(), shown.signal.rate, shown.signal.leads)


def note(path: Path) -> str:
    return f"leads: {', '.join(read_recording(path).leads)}"


ECG = wl.register_kind(
    wl.Kind(
        "ecg",
        (".ecg",),
        read_recording,
        units=("s",),
        domain=domain,
        sigma=0.01,
        start="a flat line",
        panel=panel,
        view=ReportView("ecg", 1, show, SCRIPT),
        size=lambda path, shape: FileSize(path.stat().st_size // BYTES_PER_VALUE),
        note=note,
        writer=Writer(".ecg", write),
        models="ecg:net",
    )
)
