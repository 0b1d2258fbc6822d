"""Sounds, and any signal with one axis."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from torch import Tensor

from wavelens import maps
from wavelens.attribution import Attribution
from wavelens.frontends.audio import loudest
from wavelens.frontends.decoders import BLOCK_VALUES
from wavelens.maps import TimeFrequency
from wavelens.reports.packing import Array, bytes_of, magnitudes, picture, signs, uri
from wavelens.reports.sounds import is_heard, sounds
from wavelens.reports.views.view import THUMB, ReportView, View, array, asset, glowing, scale_names

if TYPE_CHECKING:  # an entry knows its view
    from wavelens.reports.entry import Entry

COLUMNS, SMALL = 800, 300  # of the scalogram, and of the waveform beside a player
BYTES = 8  # of sound, for each number that the entry may hold
FULL = 0.99  # of full scale, which a sound's peak is brought to
MAX_CHANNELS, MAX_RATE = 8, 655_350  # channels and samples per second that FLAC can hold


def show_sound(entry: Entry, room: int) -> View:
    """The waveform, its spectrogram, the attribution over time and frequency, and sounds to hear."""
    from wavelens.plots.parts import scale_end  # matplotlib: only once there is something to draw
    from wavelens.plots.scalogram import samples

    a, rate = entry.attribution, rate_of(entry)
    kinds = (False,) if a.data.is_complex() else (False, True)
    rows = {sign: maps.time_frequency(a, COLUMNS, signed=sign) for sign in kinds}
    values = {sign: array(one.values[0]) for sign, one in rows.items()}
    end, labels = scale_end(array(rows[False].cells()[0][0])), entry.scale_labels
    has_frequencies = bool(rows[False].extents)
    payload: dict[str, Any] = {
        "unit": "sample",
        "end": end,
        "rate": rate,
        "samples": entry.x.shape[-1],
        "step": entry.place.spacing[0],
        "axis": "s" if rate else entry.place.units[0],
        "wave": envelope(samples(entry.x[0]), COLUMNS),
        "spectrum": _spectrum(samples(entry.x[0]), rate) if rate and has_frequencies else None,
        "maps": {
            "shape": list(values[False].shape),
            "scales": [{"name": name, "label": labels.get(name, "")} for name in scale_names(entry)],
            **placed_rows(rows[False], rate or 1.0, list(a.layout.scales())),
            "magnitude": [magnitudes(values[False])],
            "signed": [signs(values[True])] if True in values else [],
        },
        "sounds": list(_recordings(entry, round(rate), room * BYTES)) if rate and can_be_heard(entry.x, rate) else [],
    }
    return View(payload, picture(_small(rows[False], end), THUMB))


def rate_of(entry: Entry) -> float | None:
    """Samples a second, for a signal in time."""
    return 1 / entry.place.spacing[0] if entry.place.units[0] == "Hz" else None


def can_be_heard(x: Tensor, rate: float) -> bool:
    """Whether a file for a player can hold it."""
    return x.shape[1] <= MAX_CHANNELS and 1 <= round(rate) <= MAX_RATE


def envelope(wave: Array, columns: int) -> dict[str, Any]:
    """The least and the greatest value over channels in each of at most `columns` columns, and their largest size."""
    starts = np.unique(np.linspace(0, wave.shape[1], min(wave.shape[1], columns), endpoint=False).astype(int))
    low, high = np.minimum.reduceat(wave.min(0), starts), np.maximum.reduceat(wave.max(0), starts)
    top = float(max(np.abs(low).max(), np.abs(high).max())) or 1.0
    return {"top": top, "low": bytes_of(0.5 + low / top / 2), "high": bytes_of(0.5 + high / top / 2)}


def placed_rows(placed: TimeFrequency, rate: float, scales: list[str]) -> dict[str, Any]:
    """The axis of frequencies, and of each row its scale and where on the axis it lies; `rate` 1 without hertz.

    Rows of a domain without frequencies are as high as each other.
    """
    from wavelens.plots.scalogram import FrequencyAxis

    axis = FrequencyAxis(placed.cells()[1], rate)
    rows = [
        {"scale": scales.index(name), "from": rate * one.low, "to": rate * one.high}
        for name, one in zip(placed.scales, placed.spans, strict=True)
    ]
    return {"rows": rows, "axis": {"low": axis.edges[0], "high": axis.edges[-1], "log": axis.is_logarithmic}}


def _spectrum(wave: Array, rate: float) -> dict[str, Any]:
    """The spectrogram of the plots as bytes, from 80 dB below its loudest point to that point; silence is dark."""
    from wavelens.plots.scalogram import RANGE, spectrum

    decibels, times, bins = spectrum(wave, rate)
    return {
        "shape": list(decibels.shape),
        "u8": bytes_of((1 + decibels / RANGE) * wave.any()),
        "step": float(bins[2] - bins[1]),
        "ends": [float(times[0]), float(times[-1])],
    }


def _recordings(entry: Entry, rate: int, most: int) -> Iterator[dict[str, Any]]:
    """Each sound of `reports.sounds` as FLAC at its own full scale, with the size that it really has.

    Those for which there is no room have no `source`, and of scales that are not heard there is the name alone.
    """
    from wavelens.plots.scalogram import samples  # matplotlib: only once there is something to draw

    a = entry.attribution
    clips = sounds(a, entry.x, rate) if isinstance(a, Attribution) else [("clip", entry.x)]
    labels, left, peak_of_clip = entry.scale_labels, most, float(loudest(entry.x))
    for name, sound in clips:
        if not is_heard(name, float(loudest(sound)), peak_of_clip):
            yield {"name": name, "silent": True}
            continue
        content, peak = encoded(sound, rate)
        fits = len(content) <= left
        left -= len(content) * fits
        shape = envelope(samples(sound[0]), SMALL)
        source = uri("audio/flac", content) if fits else ""
        yield {"name": name, "label": labels.get(name, ""), "peak": peak, "source": source, "wave": shape}


def encoded(sound: Tensor, rate: int) -> tuple[bytes, float]:
    """`(1, channel, samples)` as 16-bit FLAC whose peak is `FULL`, and its own peak; silence stays silent."""
    peak, file = float(loudest(sound)), io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, sound.shape[1], "PCM_16", format="FLAC") as flac:
        for block in sound[0].split(BLOCK_VALUES, -1):
            flac.write(array(block).T * (FULL / peak if peak else 1.0))
    return file.getvalue(), peak


def _small(placed: TimeFrequency, end: float) -> Array:
    """The attribution over time and frequency with the highest on top."""
    from wavelens.plots.scalogram import FrequencyAxis

    cells, edges = placed.cells()
    shown = array(cells[0])[FrequencyAxis(edges).cells_at(THUMB)[::-1], :: max(1, COLUMNS // THUMB)]
    return glowing(np.zeros((1, *shown.shape)), shown, end)


SOUND_VIEW = ReportView("sound", 1, show_sound, "\n".join(map(asset, ("players.js", "sound.js"))))
"""How a report shows sounds."""
