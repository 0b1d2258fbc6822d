"""Stored numbers of DICOM become the quantity that the file means, whatever form it gives them."""

import numpy as np
import pytest

from test_dicom import SHAPE, dicom_slice, series, voxels
from wavelens.frontends.volume import read_volume

ROWS, COLUMNS = SHAPE[1], SHAPE[0]


def values(tmp_path, *slices):
    """The volume of slices, `(column, row, slice)`."""
    return read_volume(series(tmp_path / "some", list(slices))).data[0, 0].numpy()


def stored(dtype, k=0, first=0):
    """Numbers that differ, and those as bytes."""
    numbers = (first + 20 * k + np.arange(ROWS * COLUMNS)).astype(dtype).reshape(ROWS, COLUMNS)
    return numbers, numbers.tobytes()


def table(descriptor, data, vr="US"):
    from pydicom.dataset import Dataset

    item = Dataset()
    item.add_new("LUTDescriptor", "US" if descriptor[1] >= 0 else "SS", descriptor)
    item.add_new("LUTData", vr, data)
    return item


@pytest.mark.needs("pydicom")
@pytest.mark.parametrize("form", ["list", "words", "bytes"])
def test_a_modality_table_gives_the_values(tmp_path, form):
    entries = [(7 * n) % 251 for n in range(12)]
    data, vr = {
        "list": (entries, "US"),
        "words": (np.array(entries, dtype="<u2").tobytes(), "OW"),
        "bytes": (bytes(entries), "OW"),
    }[form]
    numbers, raw = stored("<u2")
    slices = [
        dicom_slice(
            k,
            ModalityLUTSequence=[table([12, 4, 8], data, vr)],
            RescaleSlope=None,
            RescaleIntercept=None,
            PixelData=raw,
        )
        for k in (0, 1)
    ]
    expected = np.array(entries)[(numbers - 4.0).clip(0, 11).astype(int)]
    np.testing.assert_array_equal(values(tmp_path, *slices)[:, :, 0], expected.T)


@pytest.mark.needs("pydicom")
def test_a_modality_table_is_pydicoms(tmp_path):
    from pydicom.pixels import apply_modality_lut

    one = dicom_slice(0, ModalityLUTSequence=[table([20, 3, 16], list(range(900, 100, -40)))])
    slices = [one, dicom_slice(1, ModalityLUTSequence=one.ModalityLUTSequence)]
    expected = apply_modality_lut(one.pixel_array, one)
    np.testing.assert_array_equal(values(tmp_path, *slices)[:, :, 0], expected.T)


@pytest.mark.needs("pydicom")
@pytest.mark.parametrize(
    ("element", "dtype", "bits"), [("FloatPixelData", "<f4", 32), ("DoubleFloatPixelData", "<f8", 64)]
)
def test_floating_point_pixels_are_values(tmp_path, element, dtype, bits):
    def one(k):
        made = dicom_slice(
            k,
            PixelData=None,
            RescaleSlope=None,
            RescaleIntercept=None,
            BitsAllocated=bits,
            BitsStored=None,
            HighBit=None,
        )
        setattr(made, element, (stored("f8", k)[0] / 8 - 3).astype(dtype).tobytes())
        return made

    expected = np.stack([(stored("f8", k)[0] / 8 - 3).T for k in (0, 1, 2)], -1)
    np.testing.assert_array_equal(values(tmp_path, *map(one, (1, 0, 2))), expected)


@pytest.mark.needs("pydicom")
def test_floating_point_pixels_take_their_one_map_to_the_real_world(tmp_path):
    from pydicom.dataset import Dataset

    def one(k, maps):
        made = dicom_slice(
            k, PixelData=None, RescaleSlope=None, RescaleIntercept=None, BitsAllocated=32, BitsStored=None
        )
        made.FloatPixelData = stored("<f4", k)[1]
        made.RealWorldValueMappingSequence = []
        for n in range(maps):
            item = Dataset()
            item.RealWorldValueSlope, item.RealWorldValueIntercept = 0.5 + n, -2.0
            made.RealWorldValueMappingSequence.append(item)
        return made

    expected = np.stack([stored("f4", k)[0].T for k in (0, 1)], -1)
    for maps, mapped in ((1, expected / 2 - 2), (2, expected)):
        folder = series(tmp_path / str(maps), [one(k, maps) for k in (0, 1)])
        np.testing.assert_array_equal(read_volume(folder).data[0, 0].numpy(), mapped)


@pytest.mark.needs("pydicom")
def test_each_slice_has_its_own_slope_and_what_is_absent_changes_nothing(tmp_path):
    numbers = [stored("<u2", k) for k in range(3)]
    changes = [{"RescaleSlope": 0.25}, {"RescaleSlope": 3}, {"RescaleSlope": None}]
    slices = [
        dicom_slice(k, PixelData=numbers[k][1], RescaleIntercept=None if k == 1 else -7, Modality="PT", **change)
        for k, change in enumerate(changes)
    ]
    found = values(tmp_path, *slices)
    for k, (slope, intercept) in enumerate([(0.25, -7), (3, 0), (1, -7)]):
        np.testing.assert_array_equal(found[:, :, k], (numbers[k][0] * float(slope) + intercept).T)


@pytest.mark.needs("pydicom")
@pytest.mark.parametrize(
    ("bits", "high", "signed", "junk"),
    [(16, 15, 1, 0), (12, 11, 0, 0xF000), (12, 11, 1, 0), (12, 11, 1, 0x5000), (12, 15, 1, 0x0003), (8, 7, 0, 0xFF00)],
)
def test_the_bits_of_a_pixel_are_those_that_the_header_names(tmp_path, bits, high, signed, junk):
    """`junk` stands in the other bits of each two bytes, as overlays did."""
    numbers = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS) - 9 * signed
    raw = ((numbers % 2**bits) << (high + 1 - bits)) | junk
    assert (raw < 2**16).all()
    change = {"BitsStored": bits, "HighBit": high, "PixelRepresentation": signed, "RescaleSlope": 2}
    slices = [dicom_slice(k, PixelData=raw.astype("<u2").tobytes(), RescaleIntercept=1, **change) for k in (0, 1)]
    np.testing.assert_array_equal(values(tmp_path, *slices)[:, :, 1], 2 * numbers.T + 1)


@pytest.mark.needs("pydicom")
@pytest.mark.parametrize(
    ("signed", "value", "limit", "outside"),
    [
        (1, -2000, None, [-2000]),
        (1, 63536, None, [-2000]),
        (1, -2000, -1990, [-2000, -1995, -1990]),
        (0, 65535, None, [65535]),
    ],
)
def test_padding_takes_the_least_value_that_was_measured(tmp_path, signed, value, limit, outside):
    numbers, _ = stored("<i2" if signed else "<u2", first=10)
    numbers[0, : len(outside)] = outside
    slices = [
        dicom_slice(k, PixelData=data, PixelRepresentation=signed)
        for k, data in enumerate((stored("<u2", first=8)[1], numbers.tobytes()))
    ]
    for one in slices:
        one.add_new("PixelPaddingValue", "SS" if value < 0 else "US", value)
        if limit is not None:
            one.add_new("PixelPaddingRangeLimit", "SS", limit)
    found = values(tmp_path, *slices)
    expected = 2.0 * numbers - 1024
    expected[0, : len(outside)] = 2 * 8 - 1024  # the least of the whole series
    np.testing.assert_array_equal(found[:, :, 1], expected.T)


@pytest.mark.needs("pydicom")
def test_the_quantity_of_monochrome1_is_not_inverted(tmp_path):
    slices = [dicom_slice(k, PhotometricInterpretation="MONOCHROME1") for k in (0, 1)]
    np.testing.assert_array_equal(values(tmp_path, *slices), 2 * voxels()[:, :, :2])


@pytest.mark.needs("pydicom")
@pytest.mark.parametrize(("implicit", "little"), [(True, True), (False, True), (False, False)])
def test_slices_without_a_preamble_are_slices(tmp_path, implicit, little):
    from pydicom.dataset import Dataset

    folder = series(tmp_path / "some", [dicom_slice(k) for k in range(6)])
    for k in (0, 3, 5):  # two at the ends, whose absence would leave no gap
        one = Dataset()
        one.update(dicom_slice(k))
        if not little:
            one.PixelData = np.frombuffer(one.PixelData, "<u2").astype(">u2").tobytes()
        path = folder / f"{(7 * k) % 11:02}.dcm"
        one.save_as(path, implicit_vr=implicit, little_endian=little)
        assert path.read_bytes()[128:132] != b"DICM"
    np.testing.assert_array_equal(read_volume(folder).data[0, 0].numpy(), 2 * voxels())


@pytest.mark.needs("pydicom")
def test_a_dose_is_in_gray_at_its_offsets(tmp_path):
    numbers = np.arange(3 * ROWS * COLUMNS).astype("<u2").reshape(3, ROWS, COLUMNS)
    one = dicom_slice(
        0,
        NumberOfFrames=3,
        GridFrameOffsetVector=[0, 4, 8],
        DoseGridScaling=0.001,
        PixelData=numbers.tobytes(),
        RescaleSlope=None,
        RescaleIntercept=None,
    )
    one.save_as(tmp_path / "dose.dcm", enforce_file_format=True)
    volume = read_volume(tmp_path / "dose.dcm")
    np.testing.assert_allclose(volume.data[0, 0].numpy(), numbers.transpose(2, 1, 0) * 0.001, rtol=1e-6)
    assert volume.spacing == pytest.approx((0.7, 1.5, 4))


@pytest.mark.needs("pydicom")
def test_a_range_of_padding_around_zero_is_no_more_than_that(tmp_path):
    """−5 to 5 in unsigned pixels: 65531 and more, and 5 and less."""
    numbers, _ = stored("<u2", first=20)
    numbers[0, :3] = 3, 65533, 6
    one = [dicom_slice(k, PixelData=numbers.tobytes()) for k in (0, 1)]
    for made in one:
        made.add_new("PixelPaddingValue", "SS", -5)
        made.add_new("PixelPaddingRangeLimit", "SS", 5)
    expected = 2.0 * numbers - 1024
    expected[0, :3] = 2 * 6 - 1024
    np.testing.assert_array_equal(values(tmp_path, *one)[:, :, 0], expected.T)


@pytest.mark.needs("pydicom", "nibabel")
def test_voxels_of_an_image_file_that_begin_like_dicom_are_voxels(tmp_path):
    import nibabel

    numbers = np.zeros((3, 4, 5), np.int16)
    numbers[:3, 0, 0] = 8, 5, 10  # group 8, element 5, a short length
    nibabel.save(nibabel.AnalyzeImage(numbers, np.diag([-1.0, 1, 1, 1])), tmp_path / "a.img")
    np.testing.assert_array_equal(read_volume(tmp_path / "a.img").data[0, 0].numpy(), numbers)
