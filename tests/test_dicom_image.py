"""One DICOM slice or X-ray is a picture, seen through the window that its file names."""

import json
import tracemalloc

import numpy as np
import pytest
import torch

from test_dicom import SHAPE, dicom_slice, enhanced
from test_dicom_values import table
from wavelens.cli import main
from wavelens.frontends import dicom_display, read_dicom_image, read_image, read_volume
from wavelens.frontends.dicom import picture_bytes
from wavelens.frontends.volume import volume_cost

ROWS, COLUMNS = SHAPE[1], SHAPE[0]


def saved(folder, **changes):
    """A slice with stored values 0, 1, 2 …, which its slope and intercept make −100, −98 …"""
    numbers = np.arange(ROWS * COLUMNS, dtype="<u2")
    one = dicom_slice(0, **{"RescaleIntercept": -100, "PixelData": numbers.tobytes()} | changes)
    path = folder / "slice.dcm"
    one.save_as(path, enforce_file_format=True)
    return path


def shown(path):
    """Its brightness `(row, column)`, the same in three channels."""
    picture = read_image(path)
    assert picture.shape == (1, 3, ROWS, COLUMNS)
    assert torch.equal(picture[0, 0], picture[0, 1])
    assert torch.equal(picture[0, 0], picture[0, 2])
    return picture[0, 0].double().numpy()


VALUES = (2.0 * np.arange(ROWS * COLUMNS) - 100).reshape(ROWS, COLUMNS)


@pytest.mark.needs("pydicom")
@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID", None])
@pytest.mark.parametrize(("centre", "width"), [(-80, 20), (-80.5, 1), (-70, 300)])
def test_a_window_is_pydicoms(tmp_path, function, centre, width):
    from pydicom import dcmread
    from pydicom.pixels import apply_windowing

    extra = {} if function is None else {"VOILUTFunction": function}
    path = saved(tmp_path, WindowCenter=centre, WindowWidth=width, **extra)
    theirs = apply_windowing(VALUES, dcmread(path))
    low, high = -100, 2 * 65535 - 100  # its output has the range of the stored type
    np.testing.assert_allclose(shown(path), (theirs - low) / (high - low), atol=1e-6)
    name = (function or "LINEAR").lower()
    assert dicom_display(path) == f"{name} window, centre {centre:g}, width {width:g}"


@pytest.mark.needs("pydicom")
def test_the_first_of_several_windows_is_taken_and_said(tmp_path):
    path = saved(tmp_path, WindowCenter=[-80, 40], WindowWidth=[21, 400])
    np.testing.assert_allclose(shown(path), ((VALUES + 80.5) / 20 + 0.5).clip(0, 1), atol=1e-6)
    assert dicom_display(path) == "linear window 1 of 2, centre -80, width 21"


@pytest.mark.needs("pydicom")
def test_a_voi_table_comes_before_a_window_and_after_the_modality(tmp_path):
    entries = [0, 3, 9, 200, 255]
    path = saved(tmp_path, VOILUTSequence=[table([5, -96, 8], entries)], WindowCenter=0, WindowWidth=10)
    expected = np.array(entries)[(VALUES + 96).clip(0, 4).astype(int)] / 255
    np.testing.assert_allclose(shown(path), expected, atol=1e-6)
    assert dicom_display(path) == "VOI lookup table"


@pytest.mark.needs("pydicom")
@pytest.mark.parametrize("width", [None, 0])
def test_without_a_window_it_is_the_range_of_what_was_measured(tmp_path, width):
    extra = {} if width is None else {"WindowCenter": 0, "WindowWidth": width}
    path = saved(tmp_path, PixelPaddingValue=19, **extra)
    expected = (VALUES + 100) / 36
    expected[-1, -1] = 0  # padding
    np.testing.assert_allclose(shown(path), expected, atol=1e-6)
    assert dicom_display(path) == "its range, -100 to -64, as it names no window"


@pytest.mark.needs("pydicom")
def test_monochrome1_is_bright_for_low_values_and_padding_is_black(tmp_path):
    path = saved(tmp_path, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=0)
    expected = 1 - (VALUES + 98) / 36
    expected[0, 0] = 0
    np.testing.assert_allclose(shown(path), expected, atol=1e-6)
    assert dicom_display(path) == "its range, -98 to -62, as it names no window, inverted (MONOCHROME1)"


@pytest.mark.needs("pydicom")
def test_a_picture_is_finite(tmp_path):
    path = saved(tmp_path, PixelData=None, BitsAllocated=32, BitsStored=None, HighBit=None)
    from pydicom import dcmread

    one = dcmread(path)
    numbers = np.arange(ROWS * COLUMNS, dtype="<f4")
    numbers[3] = np.nan
    one.FloatPixelData = numbers.tobytes()
    one.save_as(path)
    with pytest.raises(ValueError, match=r"slice\.dcm has NaN or infinity in 1 pixels"):
        read_image(path)


@pytest.mark.needs("pydicom")
def test_colours_are_those_of_the_file(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (ROWS, COLUMNS, 3), dtype=np.uint8)
    eight = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    path = saved(
        tmp_path,
        **eight,
        SamplesPerPixel=3,
        PhotometricInterpretation="RGB",
        PlanarConfiguration=0,
        PixelData=colours.tobytes(),
    )
    np.testing.assert_allclose(read_image(path)[0].permute(1, 2, 0).numpy(), colours / 255, atol=1e-6)
    assert dicom_display(path) == "the colours of the file"


def palette(bits, count=None, first=0, order="<", packed=False, seed=0):
    """The elements of a palette of random entries, in words of their own or two of 8 bits in one; and the entries."""
    count = ROWS * COLUMNS if count is None else count
    tables, elements = np.random.default_rng(seed).integers(0, 2**bits, (count, 3)), {}
    tables[0] = 2**bits - 1
    for name, entries in zip(("Red", "Green", "Blue"), tables.T, strict=True):
        elements[f"{name}PaletteColorLookupTableDescriptor"] = [count, first, bits]
        if packed:
            entries = np.pad(entries, (0, count % 2)).astype(np.uint8).view("<u2")
        elements[f"{name}PaletteColorLookupTableData"] = entries.astype(f"{order}u2").tobytes()
    return {"PhotometricInterpretation": "PALETTE COLOR"} | elements, tables


def coloured(path):
    return read_image(path)[0].permute(1, 2, 0).numpy()


PALETTES = [(16, False, 0, None), (8, False, 0, None), (8, True, 0, None), (8, True, 7, 20), (16, False, 7, 19)]


@pytest.mark.needs("pydicom")
@pytest.mark.parametrize(("bits", "packed", "first", "count"), PALETTES)
def test_a_palette_is_pydicoms_by_the_bits_of_its_entries(tmp_path, bits, packed, first, count):
    """Entries of 8 bits lie in words of their own, or two in one: both are in use."""
    from pydicom import dcmread
    from pydicom.pixels import apply_color_lut

    path = saved(tmp_path, **palette(bits, count, first, packed=packed)[0])
    theirs = apply_color_lut(dcmread(path).pixel_array, dcmread(path)) / (2**bits - 1)
    np.testing.assert_allclose(coloured(path), theirs, atol=1e-6)
    assert coloured(path).max() > 0.9


def index_of(count, first):
    return (np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS) - first).clip(0, count - 1)


@pytest.mark.needs("pydicom")
@pytest.mark.parametrize(("bits", "packed", "first", "count"), [*PALETTES, (12, False, 0, None), (8, True, 3, 19)])
@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
def test_a_palette_is_in_the_byte_order_of_its_file(tmp_path, bits, packed, first, count, order):
    elements, tables = palette(bits, count, first, order, packed)
    one = dicom_slice(0, **elements)
    one.PixelData = np.arange(ROWS * COLUMNS, dtype=f"{order}u2").tobytes()
    if order == ">":
        from pydicom.uid import ExplicitVRBigEndian

        one.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        one.set_original_encoding(is_implicit_vr=False, is_little_endian=False)
    one.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    expected = tables[index_of(len(tables), first)] / (2**bits - 1)
    np.testing.assert_allclose(coloured(tmp_path / "a.dcm"), expected, atol=1e-6)


@pytest.mark.needs("pydicom")
def test_entries_above_the_bits_that_a_palette_names_have_those_they_are_stored_in(tmp_path):
    elements, tables = palette(16)
    for name in ("Red", "Green", "Blue"):
        elements[f"{name}PaletteColorLookupTableDescriptor"] = [len(tables), 0, 8]
    found = coloured(saved(tmp_path, **elements))
    np.testing.assert_allclose(found, tables[index_of(len(tables), 0)] / 65535, atol=1e-6)


@pytest.mark.needs("pydicom")
def test_a_palette_that_is_shorter_than_it_says_is_refused(tmp_path):
    elements, tables = palette(16)
    elements["GreenPaletteColorLookupTableData"] = elements["GreenPaletteColorLookupTableData"][:-10]
    with pytest.raises(ValueError, match=rf"a lookup table of {len(tables)} entries has {2 * len(tables) - 10} bytes"):
        read_image(saved(tmp_path, **elements))


@pytest.mark.needs("pydicom")
def test_a_palette_in_segments_is_pydicoms(tmp_path):
    from pydicom import dcmread
    from pydicom.pixels import apply_color_lut

    elements = {"PhotometricInterpretation": "PALETTE COLOR"}
    for name, last in (("Red", 65535), ("Green", 0), ("Blue", 9000)):
        elements[f"{name}PaletteColorLookupTableDescriptor"] = [20, 0, 16]
        segments = np.array([0, 1, 30000, 1, 19, last], "<u2")  # one entry, then a line to the last
        elements[f"Segmented{name}PaletteColorLookupTableData"] = segments.tobytes()
    path = saved(tmp_path, **elements)
    theirs = apply_color_lut(dcmread(path).pixel_array, dcmread(path)) / 65535
    np.testing.assert_allclose(coloured(path), theirs, atol=1e-6)


@pytest.mark.needs("pydicom")
def test_frames_have_windows_of_their_own_and_several_frames_are_no_picture(tmp_path):
    one = enhanced((2,))
    window = type(one)("", {})
    window.WindowCenter, window.WindowWidth, window.VOILUTFunction = -500, 100, "LINEAR_EXACT"
    one.PerFrameFunctionalGroupsSequence[0].FrameVOILUTSequence = [window]
    one.save_as(tmp_path / "one.dcm", enforce_file_format=True)
    values = one.pixel_array * 4.0 - 1024
    np.testing.assert_allclose(shown(tmp_path / "one.dcm"), ((values + 500) / 100 + 0.5).clip(0, 1), atol=1e-6)
    enhanced((0, 1)).save_as(tmp_path / "two.dcm", enforce_file_format=True)
    with pytest.raises(ValueError, match=r"a photo is one frame; .*two\.dcm has 2\. Give it to a model of volumes"):
        read_dicom_image(tmp_path / "two.dcm")


@pytest.mark.real
@pytest.mark.needs("pydicom")
def test_a_real_ct_and_a_real_mr_are_pictures_and_their_quantities():
    """Slices that pydicom carries."""
    from pydicom.data import get_testdata_file

    path = get_testdata_file("CT_small.dcm", read=False, download=False)
    picture = read_image(path)
    assert picture.shape == (1, 3, 128, 128)
    assert dicom_display(path) == "its range, -896 to 1167, as it names no window"
    plain, packed = (read_image(get_testdata_file(f"MR_small{end}.dcm", download=False)) for end in ("", "_RLE"))
    assert torch.equal(plain, packed)
    assert 0.05 < plain.mean() < 0.95


@pytest.mark.real
@pytest.mark.needs("pydicom", "gdcm")
def test_compressed_slices_are_decoded_without_loss():
    from pydicom.data import get_testdata_file

    names = ("MR_small", "MR_small_jpeg_ls_lossless", "MR_small_jp2klossless")
    plain, *packed = (read_image(get_testdata_file(f"{name}.dcm", download=False)) for name in names)
    assert all(torch.equal(plain, one) for one in packed)


@pytest.mark.needs("pydicom")
def test_the_command_explains_a_slice_and_says_its_window(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.py").write_text(
        "import torch\nfrom wavelens import models\n\n"
        "def net(pretrained=False):\n"
        "    torch.manual_seed(0)\n"
        "    layers = torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(48, 2)\n"
        "    module = torch.nn.Sequential(*layers).eval()\n"
        "    return models.LoadedModel(module, ('ill', 'well'), models.Geometry((32, 32), (32, 32)), 'tiny')\n",
        encoding="utf-8",
    )
    saved(tmp_path, WindowCenter=-80, WindowWidth=20)
    code = main(["explain", "slice.dcm", "--model", "tiny:net", "--method", "Saliency", "--report", "--out", "out"])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert "shown through: linear window, centre -80, width 20" in printed.out
    assert "linear window, centre -80" in (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "out/slice.json").read_text())["note"].endswith("centre -80, width 20")


@pytest.mark.needs("pydicom")
@pytest.mark.parametrize("padding", [False, True])
def test_reading_takes_no_more_memory_than_the_header_says(tmp_path, padding):
    numbers = np.random.default_rng(0).integers(0, 4000, (6, 512, 512)).astype("<u2")
    extra = {"PixelPaddingValue": 5, "PhotometricInterpretation": "MONOCHROME1"} if padding else {}
    for name, one, data in (
        ("scan.dcm", enhanced(range(6), **extra), numbers),
        ("slice.dcm", dicom_slice(0, **extra), numbers[0]),
    ):
        one.Rows, one.Columns, one.BitsStored, one.HighBit, one.PixelData = 512, 512, 12, 11, data.tobytes()
        one.save_as(tmp_path / name, enforce_file_format=True)
    read_image(tmp_path / "slice.dcm")  # imports, too, take memory
    for read, path, bound in (
        (read_volume, tmp_path / "scan.dcm", volume_cost(tmp_path / "scan.dcm").memory_bytes),
        (read_image, tmp_path / "slice.dcm", picture_bytes(tmp_path / "slice.dcm")),
    ):
        tracemalloc.start()
        try:
            read(path)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak <= bound, path.name


@pytest.mark.needs("pydicom")
@pytest.mark.parametrize("colours", ["HSV", "YBR_PARTIAL_420", "CIELAB"])
def test_colours_that_are_not_decoded_to_rgb_are_refused_and_not_shown_as_it(tmp_path, colours):
    bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "RescaleSlope": None, "RescaleIntercept": None}
    pixels = bytes(range(3 * ROWS * COLUMNS))
    layout = {"SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": colours}
    with pytest.raises(ValueError, match=rf"slice\.dcm.*{colours}"):
        read_image(saved(tmp_path, PixelData=pixels, **layout, **bits))


@pytest.mark.needs("pydicom")
def test_a_slope_of_0_is_refused_and_does_not_make_all_values_one(tmp_path):
    with pytest.raises(ValueError, match=r"RescaleSlope is a number other than 0; .*slice\.dcm has 0"):
        read_image(saved(tmp_path, RescaleSlope=0))
