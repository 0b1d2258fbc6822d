"""What a scale means in the units of its input."""

import math
import re

import pytest
import torch

import wavelens as wl
from wavelens.domains import DWT, Identity
from wavelens.grid import Grid, note_of


def layout(shape, domain):
    return domain.analysis(torch.zeros(1, 1, *shape)).layout


def test_a_level_of_sound_is_an_octave():
    found = Grid.sound(44100).extents(layout((64,), DWT("haar", levels=3)))
    ends = {"a3": (0, 44100 / 16), "d3": (44100 / 16, 44100 / 8), "d2": (44100 / 8, 44100 / 4), "d1": (11025, 22050)}
    assert found == {name: (pair,) for name, pair in ends.items()}
    labels = Grid.sound(44100).labels(layout((64,), DWT("haar", levels=3)))
    assert labels == {"a3": "< 2756 Hz", "d3": "2756–5512 Hz", "d2": "5512–11k Hz", "d1": "11k–22.1k Hz"}


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_the_octaves_meet_and_reach_from_nothing_to_the_end(axes):
    found = Grid((0.5,) * axes, ("mm",) * axes).extents(layout((16,) * axes, DWT("db2", levels=2)))
    for along in zip(*found.values(), strict=True):
        coarse, middle, fine = along
        assert (fine[0], fine[1], coarse[0], coarse[1]) == (0.5, middle[0], middle[1], math.inf)


def test_axes_that_differ_are_told_apart():
    grid = Grid((3.0, 1.0, 1.0), ("mm", "mm", "mm"))
    labels = grid.labels(layout((8, 8, 8), DWT("haar", levels=1)))
    assert labels == {"a1": "> 6 × > 2 × > 2 mm", "d1": "3–6 × 1–2 × 1–2 mm"}
    video = Grid((0.04, 1, 1), ("s", "px", "px"))
    assert video.labels(layout((8, 8, 8), DWT("haar", levels=1)))["d1"] == "0.04–0.08 s × 1–2 × 1–2 px"


def test_pixels_are_one_pixel_large_and_sound_reaches_to_half_the_rate():
    assert Grid.plain(2).labels(layout((4, 4), Identity())) == {"x": "1 px"}
    assert Grid.sound(8000).labels(layout((4,), Identity())) == {"x": "< 4000 Hz"}


@pytest.mark.parametrize(
    ("spacing", "units", "sentence"),
    [
        ((1.0,), ("mm", "mm"), "a spacing and a unit for each axis"),
        ((0.0,), ("mm",), "a spacing must be finite and above 0; got"),
        ((float("nan"),), ("mm",), "a spacing must be finite and above 0; got"),
    ],
)
def test_a_grid_that_is_none_is_refused(spacing, units, sentence):
    with pytest.raises(ValueError, match=sentence):
        Grid(spacing, units)


def test_a_grid_belongs_to_its_signal():
    with pytest.raises(ValueError, match="a grid must have the axes of its signal; got 1"):
        Grid.sound(8000).extents(layout((4, 4), DWT("haar")))


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_a_semitone_is_called_by_its_nearest_note(rate):
    letters = "C C♯ D D♯ E F F♯ G G♯ A A♯ B".split()
    placed, grid = layout((rate,), wl.ConstantQ(12, octaves=6)), Grid.sound(rate)
    labels, extents = grid.labels(placed), grid.extents(placed)
    assert labels[next(iter(labels))].startswith("< ")  # what lies below is no note
    named = {}
    for scale, label in list(labels.items())[1:]:
        (note,) = re.fullmatch(r"(\S+) \([\d.k]+–[\d.k]+ Hz\)", label).groups()
        letter, octave = re.fullmatch(r"(\D+)(\d+)", note).groups()
        hertz = 440 * 2 ** ((letters.index(letter) - 9) / 12 + int(octave) - 4)
        ((start, end),) = extents[scale]
        assert start / 2 ** (1 / 24) <= hertz * (1 + 1e-9)
        assert hertz <= end * 2 ** (1 / 24) * (1 + 1e-9)
        assert abs(math.log2(hertz / math.sqrt(start * end))) <= 0.5 / 12 + 1e-9
        named[note] = (start, end)
    assert len(named) == 72  # each note once
    assert "A4" in named


@pytest.mark.parametrize(
    ("domain", "grid"),
    [
        (wl.ConstantQ(3), Grid.sound(8000)),
        (wl.ConstantQ(24), Grid.sound(8000)),
        (wl.Packets("db4", levels=6), Grid.sound(8000)),
        (wl.STFT("hann", 256), Grid.sound(8000)),
        (wl.ConstantQ(12), Grid((0.001,), ("s",))),
    ],
)
def test_what_is_no_semitone_in_hertz_has_no_note(domain, grid):
    assert not any("(" in label for label in grid.labels(layout((4000,), domain)).values())


@pytest.mark.needs("librosa")
def test_notes_are_those_of_librosa():
    import librosa

    for number in range(24, 108):
        hertz = 440 * 2 ** ((number - 69) / 12)
        half = 2 ** (1 / 24)
        assert note_of((hertz / half, hertz * half), "Hz") == librosa.hz_to_note(hertz)
