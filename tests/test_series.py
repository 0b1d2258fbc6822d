"""Readers of time series: every format gives the numbers, names, units and rate that it was written with."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import series_files as files
import wavelens as wl
from wavelens.explaining import kind_of
from wavelens.frontends import Series, write_series
from wavelens.frontends.series import series_cost, series_files, series_inside
from wavelens.frontends.series.series import series_grid, whole_rate

SEED = ("XX.AAA..HHE", "XX.AAA..HHN", "XX.AAA..HHZ")
FORMATS = {  # suffix: writer, what it needs, names, units, factor of the values, largest error
    ".csv": (files.write_csv, (), files.NAMES, files.UNITS, 1.0, 1e-7),
    ".npz": (files.write_npz, (), files.NAMES, (), 1.0, 1e-7),
    ".parquet": (files.write_parquet, ("pyarrow",), files.NAMES, ("", "", ""), 1.0, 1e-7),
    ".hea": (files.write_wfdb, ("wfdb",), files.NAMES, files.UNITS, 1.0, 1e-4),
    ".edf": (files.write_edf, ("mne",), files.NAMES, ("V", "V", "V"), 1e-3, 1e-4),
    ".bdf": (files.write_edf, ("mne",), files.NAMES, ("V", "V", "V"), 1e-3, 1e-6),
    "_raw.fif": (files.write_fif, ("mne",), files.NAMES, ("V", "V", "V"), 1e-3, 1e-7),
    ".mseed": (files.write_miniseed, ("obspy",), SEED, (), 1.0, 1e-7),
    "-sac": (files.write_sac, ("obspy",), SEED, (), 1.0, 1e-7),
}
EVERY = [
    pytest.param(end, marks=pytest.mark.needs(*FORMATS[end][1]) if FORMATS[end][1] else (), id=end) for end in FORMATS
]


@pytest.fixture
def written(tmp_path, request):
    """The recording in a format, and its path."""
    return FORMATS[request.param][0](tmp_path / f"one{request.param}", files.recording())


@pytest.mark.parametrize(
    ("end", "written"),
    [pytest.param(p.values[0], p.values[0], marks=p.marks, id=p.id) for p in EVERY],
    indirect=["written"],
)
def test_every_format_gives_what_was_written(end, written):
    _, _, names, units, factor, error = FORMATS[end]
    series = wl.frontends.read_series(written)
    expected = torch.from_numpy(files.recording() * factor).float()[None]
    assert series.data.dtype == torch.float32
    assert (series.data - expected).abs().max() <= error * factor
    assert (series.rate, series.channels, series.units) == (files.RATE, names, units)
    assert series.grid == series_grid(100.0)
    values, seconds = series_cost(written)
    assert values >= series.data.numel()
    assert seconds in (0.0, pytest.approx(3.0))
    parts = series_files(written)
    assert all(part.is_file() for part in parts)
    assert (len(parts) > 1) == (end in (".hea", "-sac"))
    assert series_inside(written.parent if end != "-sac" else written) == [written]
    assert kind_of([str(written)]).name == "series"


def test_positions_of_electrodes_come_from_the_file(tmp_path):
    pytest.importorskip("mne")
    series = wl.frontends.read_series(files.write_fif(tmp_path / "a_raw.fif", files.recording()))
    torch.testing.assert_close(torch.tensor(series.positions), torch.tensor([[0.01 * k, 0.05, 0.08] for k in range(3)]))


@pytest.mark.parametrize(
    ("name", "stamps", "rate", "unit", "begin"),
    [
        ("time", ["0", "0.004", "0.008", "0.012"], 250.0, "Hz", ""),
        ("t_ms", ["0", "4", "8", "12"], 250.0, "Hz", ""),
        ("Time [h]", ["0", "1", "2", "3"], 1 / 3600, "h", ""),
        ("date", [f"2024-05-0{k}" for k in range(1, 5)], 1 / 86400, "days", "2024-05-01T00:00:00+00:00"),
        ("timestamp", [f"2024-05-01T00:0{k}:30" for k in range(4)], 1 / 60, "min", "2024-05-01T00:00:30+00:00"),
    ],
)
def test_a_column_of_times_gives_the_rate(tmp_path, name, stamps, rate, unit, begin):
    path = files.write_csv(tmp_path / "a.csv", files.recording()[:, :4], name, stamps)
    series = wl.frontends.read_series(path)
    assert series.rate == pytest.approx(rate, rel=1e-12)
    assert (series.grid.units, series.begin) == ((unit,), begin)
    spacing = 1 / rate if unit == "Hz" else 1.0
    assert series.grid.spacing[0] == pytest.approx(1 / 250 if unit == "Hz" else spacing)


@pytest.mark.parametrize("rate", [360, 250, 1000, 12.5, 0.1])
def test_rounded_time_stamps_give_the_round_rate(rate):
    times = np.round(np.arange(3600) / rate, 3)
    assert whole_rate(times) == pytest.approx(rate, rel=1e-6)


def test_tables_without_names_or_times(tmp_path):
    (tmp_path / "a.tsv").write_text("1\t2\n3\t4\n5\t6\n")
    series = wl.frontends.read_series(tmp_path / "a.tsv")
    assert series.data.tolist() == [[[1, 3, 5], [2, 4, 6]]]
    assert (series.rate, series.channels, series.names) == (None, (), ("channel 1", "channel 2"))
    assert series.grid.units == ("samples",)


def test_what_is_written_as_a_table_is_read_again(tmp_path):
    values = torch.randn(2, 50, generator=torch.Generator().manual_seed(0))
    write_series(tmp_path / "a.csv", Series(values[None], 31.25, ("x", "y, z")))
    series = wl.frontends.read_series(tmp_path / "a.csv")
    torch.testing.assert_close(series.data[0], values, rtol=1e-7, atol=0)
    assert (series.rate, series.channels) == (pytest.approx(31.25, rel=1e-8), ("x", "y, z"))


def test_arrays_of_one_and_two_axes_are_series_and_others_volumes(tmp_path):
    for shape, kind in {(5,): "series", (2, 5): "series", (3, 4, 5): "volume"}.items():
        np.save(tmp_path / "a.npy", np.ones(shape, np.float32))
        assert kind_of([str(tmp_path / "a.npy")]).name == kind
        assert kind_of([str(tmp_path)]).name == kind


def csv_file(text):
    return lambda path: (path / "a.csv").write_text(text) and path / "a.csv"


def array_file(values, name="a.npy"):
    def write(path):
        if name.endswith(".npy"):
            np.save(path / name, values, allow_pickle=True)
        else:
            np.savez(path / name, **values)
        return path / name

    return write


WRONG = {
    "NaN": (csv_file("time,a\n0,1\n1,\n2,3\n"), r"1 NaN or infinite value in channel a, the first at sample 1, 1 s"),
    "empty channel": (csv_file("time,a,b\n0,1,\n1,2,\n"), r"channel b of .* is empty: none of its 2 values"),
    "text": (csv_file("time,a\n0,1\n1,two\n"), r"are numbers; column a of .* has 'two' in sample 1"),
    "gap": (csv_file("time,a\n0,1\n1,2\n2,3\n9,4\n10,5\n"), r"evenly spaced in time; .* are not: sample \d lies"),
    "times backwards": (csv_file("time,a\n2,1\n1,2\n0,3\n"), "evenly spaced in time"),
    "odd date": (csv_file("date,a\nMonday,1\nTuesday,2\n"), r"times are numbers, or written like 2024-05-01T12:00:00"),
    "ragged": (csv_file("a,b\n1,2\n3\n"), r"row 3 of .* has 1 cells and the first 2"),
    "header alone": (csv_file("time,a\n"), "has 0 rows"),
    "empty file": (lambda path: (path / "a.csv").touch() or path / "a.csv", "is empty, so it is not a series"),
    "binary": (lambda path: (path / "a.csv").write_bytes(b"\xff\xfe\x00\x01") and path / "a.csv", "no table in UTF-8"),
    "stack": (array_file(np.ones((2, 3, 4))), r"\(channel, samples\); got \(2, 3, 4\).*It looks like several"),
    "objects": (array_file(np.array([{}])), "cannot be read without pickle|can be read without pickle"),
    "complex": (array_file(np.ones(3, complex)), "values must be real numbers; got complex128"),
    "no rate": (array_file({"x": np.ones(3), "rate": -1.0}, "a.npz"), r"rate of .* must be the rate in Hz, above 0"),
    "two arrays": (array_file({"x": np.ones(3), "y": np.ones(3)}, "a.npz"), r"is one array, beside rate and channels"),
    "names": (array_file({"x": np.ones((2, 3)), "names": np.array(["a"])}, "a.npz"), "one name per channel; got 1"),
    "nowhere": (lambda path: path / "b.csv", "no such series"),
    "suffix": (lambda path: (path / "a.xyz").write_text("1") and path / "a.xyz", "a series must be a file ending in"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_series_is_one_line(tmp_path, case):
    write, message = WRONG[case]
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        wl.frontends.read_series(write(tmp_path))
    assert "\n" not in str(caught.value)


def header(path, old, new):
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    return path


@pytest.mark.needs("wfdb")
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b" 300\n", b" 3000000\n", r"promises 3000000 frames, 18000000 bytes, and one\.dat has 1800"),
        (b"one.dat", b"../one.dat", r"lie beside its header; .* names '\.\./one\.dat'"),
        (b"one.dat", b"two.dat", r"names two\.dat for its signals, which is not beside it"),
        (
            b"100 300\none.dat 16 ",
            b"100 100\none.dat 16x4 ",
            "channels of a series share one rate; .*I 400 Hz, II 100 Hz",
        ),
        (b"one 3 100", b"one 9 100", "says 9 signals and describes 3"),
        (b"one 3 100", b"one x 100", "cannot be read as a WFDB header"),
    ],
)
def test_a_wfdb_header_that_lies_is_one_line(tmp_path, old, new, message):
    path = header(files.write_wfdb(tmp_path / "one.hea", files.recording()), old, new)
    with pytest.raises(ValueError, match=message):
        wl.frontends.read_series(path)


@pytest.mark.needs("wfdb")
def test_segments_of_a_wfdb_record_are_one_series(tmp_path):
    values = files.recording()
    for k, part in enumerate((values[:, :100], values[:, 100:])):
        files.write_wfdb(tmp_path / f"part{k}.hea", part)
    (tmp_path / "whole.hea").write_text("whole/2 3 100 300\npart0 100\npart1 200\n")
    series = wl.frontends.read_series(tmp_path / "whole.hea")
    assert (series.data[0] - torch.from_numpy(values)).abs().max() < 1e-4
    assert [path.name for path in series_files(tmp_path / "whole.hea")] == [
        "whole.hea", "part0.hea", "part0.dat", "part1.hea", "part1.dat",
    ]  # fmt: skip
    assert series_inside(tmp_path) == [tmp_path / "whole.hea"]


@pytest.mark.needs("mne")
def test_an_edf_file_of_several_rates_or_a_header_that_lies_is_one_line(tmp_path):
    mixed = files.write_edf(tmp_path / "a.edf", files.recording(), [100, 100, 50])
    with pytest.raises(ValueError, match=r"share one rate; those of .* have 2: I 100 Hz, V1 50 Hz"):
        wl.frontends.read_series(mixed)
    whole = files.write_edf(tmp_path / "b.edf", files.recording())
    whole.write_bytes(whole.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"promises 3 records of 600 bytes, and it holds 2"):
        wl.frontends.read_series(whole)
    whole.write_bytes(b"0" + b" " * 300)
    with pytest.raises(ValueError, match="cannot be read as an EDF file"):
        wl.frontends.read_series(whole)
    (tmp_path / "a_raw.fif").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="cannot be read as a raw FIF file"):
        wl.frontends.read_series(tmp_path / "a_raw.fif")


@pytest.mark.needs("obspy")
def test_a_seismogram_with_a_gap_or_of_several_rates_is_one_line(tmp_path):
    import obspy

    head = {"station": "AAA", "channel": "HHZ", "sampling_rate": 100.0}
    early = obspy.Trace(np.zeros(100, np.float32), head)
    late = obspy.Trace(np.zeros(100, np.float32), head | {"starttime": obspy.UTCDateTime(5)})
    next_one = obspy.Trace(np.ones(100, np.float32), head | {"starttime": obspy.UTCDateTime(1)})
    slow = obspy.Trace(np.zeros(100, np.float32), head | {"channel": "LHZ", "sampling_rate": 1.0})
    path = tmp_path / "a.mseed"
    obspy.Stream([early, late]).write(str(path), format="MSEED")
    with pytest.raises(
        ValueError, match=r"a series has no gaps; .* has one in \.AAA\.\.HHZ, from 1970-01-01T00:00:00\.99"
    ):
        wl.frontends.read_series(path)
    obspy.Stream([early, slow]).write(str(path), format="MSEED")
    with pytest.raises(ValueError, match=r"share one rate; .* \.AAA\.\.HHZ 100 Hz, \.AAA\.\.LHZ 1 Hz"):
        wl.frontends.read_series(path)
    obspy.Stream([early, next_one]).write(str(path), format="MSEED")
    joined = wl.frontends.read_series(path)
    assert joined.data.shape == (1, 1, 200)
    assert joined.data[0, 0, 99:101].tolist() == [0, 1]
    path.write_bytes(b"nothing of the kind" * 40)
    with pytest.raises(ValueError, match="cannot be read as a seismogram"):
        wl.frontends.read_series(path)


@pytest.mark.needs("obspy")
def test_a_pickle_that_is_called_a_seismogram_is_not_opened(tmp_path, monkeypatch):
    import pickle

    monkeypatch.setattr(pickle, "load", lambda *_: pytest.fail("unpickled"))
    monkeypatch.setattr(pickle, "loads", lambda *_: pytest.fail("unpickled"))
    path = tmp_path / "a.mseed"
    path.write_bytes(pickle.dumps(files.stream_of(files.recording())))
    with pytest.raises(ValueError, match="cannot be read as a seismogram"):
        wl.frontends.read_series(path)


def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "wfdb", None)
    (tmp_path / "a.hea").write_text("a 1 100 4\na.dat 16 200/mV 16 0 0 0 0 I\n")
    (tmp_path / "a.dat").write_bytes(bytes(8))
    with pytest.raises(ImportError, match=r"pip install 'wavelens\[series\]'"):
        wl.frontends.read_series(tmp_path / "a.hea")
    assert series_files(Path(tmp_path / "a.hea")) == [tmp_path / "a.hea", tmp_path / "a.dat"]


def test_grids_of_fast_and_slow_series():
    texts = {rate: wl.DWT("haar", 1).layout((8,)) for rate in (250.0, 1.0, 1 / 60, 1 / 3600, 1 / 86400, 0.2)}
    labels = {rate: series_grid(rate).labels(layout)["d1"] for rate, layout in texts.items()}
    assert json.dumps(list(labels.values()), ensure_ascii=False) == (
        '["62.5–125 Hz", "1–2 s", "1–2 min", "1–2 h", "1–2 days", "5–10 s"]'
    )


@pytest.mark.needs("obspy")
def test_a_seismogram_whose_header_promises_more_than_the_file_holds_is_one_line(tmp_path):
    folder = files.write_sac(tmp_path / "quake", files.recording())
    one = sorted(folder.iterdir())[0]
    header = bytearray(one.read_bytes())
    header[316:320] = (2**30).to_bytes(4, "little")  # the number of samples, word 79
    one.write_bytes(header)
    with pytest.raises(
        ValueError, match="cannot be read as a seismogram: Actual and theoretical file size are inconsistent"
    ):
        wl.frontends.read_series(folder)
