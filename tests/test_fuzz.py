"""200 cases of the fuzzer; that it covers every suffix; and that it sees what it is there to see."""

import os
import random
import sys
import time
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("memory is bounded as Linux does it", allow_module_level=True)

from fuzz import worker
from fuzz.__main__ import verdicts
from fuzz.formats import Format, formats
from fuzz.worker import Worker, damage, judged
from wavelens.frontends import audio, image, series, video, volume

pytestmark = pytest.mark.needs(
    "av", "nibabel", "pydicom", "captum", "zennit", "mne", "wfdb", "obspy", "pyarrow", "rasterio", "netCDF4"
)


@pytest.mark.slow
def test_200_cases_end_with_an_answer_or_one_clean_sentence():
    faults = [one for one in verdicts(range(200), seed=0) if one.fault]
    assert [str(one) for one in faults] == []


@pytest.mark.parametrize(
    ("kind", "suffixes"),
    [
        ("photo", image.SUFFIXES),
        ("sound", audio.SUFFIXES),
        ("video", video.SUFFIXES),
        ("volume", volume.SUFFIXES),
        ("series", series.SUFFIXES),
    ],
)
def test_every_suffix_that_is_read_has_a_file_to_damage(kind, suffixes):
    names = [one.name for one in formats() if one.name.startswith(f"{kind} ")]
    assert [suffix for suffix in suffixes if not any(name.endswith(suffix) for name in names)] == []


def test_a_case_is_the_same_each_time_and_most_change_something(tmp_path):
    one = next(one for one in formats() if one.name == "photo a.bmp")
    path = one.write(tmp_path)
    whole = path.read_bytes()

    def damaged(case):
        path.unlink()
        path.write_bytes(whole)
        damage(tmp_path, one, random.Random(f"0 {case}"))
        return path.read_bytes() if path.is_file() and not path.is_symlink() else b""

    contents = [damaged(case) for case in range(60)]
    assert contents == [damaged(case) for case in range(60)]
    assert len(set(contents) - {whole}) > 50


def wait(path):
    if path.read_bytes() != b"whole":
        time.sleep(60)


def end(path):
    if path.read_bytes() != b"whole":
        os.abort()


def write(folder: Path) -> Path:
    (folder / "file").write_bytes(b"whole")
    return folder / "file"


def troubled() -> list[Format]:
    return [Format("waits", write, wait), Format("ends", write, end), Format("reads", write, Path.stat)]


@pytest.mark.slow
def test_a_reader_that_hangs_or_ends_its_process_is_named_and_the_next_case_is_carried_out(monkeypatch):
    monkeypatch.setattr(worker, "SECONDS", 2)
    with Worker(0, table=troubled) as one:
        found = [str(one(case)) for case in (0, 1, 2)]
    assert found == [
        "case 0, waits: no answer in 2 s",
        "case 1, ends: the process ended with code -6",
        "case 2, reads: answer",
    ]


def raising(error):
    def read():
        raise error

    return read


def hidden():
    try:
        bytearray(2**40)
    except MemoryError as error:
        raise ValueError("it could not be decoded: it is damaged.") from error


@pytest.mark.parametrize(
    ("read", "fault"),
    [
        (lambda: 1, ""),
        (raising(ValueError("a photo is a file; got a folder.")), ""),
        (raising(ValueError("")), "no sentence"),
        (raising(OSError("gone")), "no sentence"),
        (raising(ValueError("two lines\nof text, as they are")), "no sentence"),
        (raising(KeyError("name")), "KeyError"),
        (raising(RecursionError()), "RecursionError"),
        (raising(SystemExit(1)), "SystemExit"),
        (lambda: bytearray(2**40), "MemoryError"),
        (hidden, "more than 2048 MiB"),
    ],
)
def test_an_outcome_is_judged(read, fault):
    found = judged(read)[1]
    assert found.startswith(fault)
    assert bool(found) == bool(fault)
