"""The examples in docstrings print what they say, and every public callable has one."""

import doctest
import importlib
import inspect

import pytest

import wavelens as wl

NAMESPACES = (
    "wl",
    "wl.metrics",
    "wl.masks",
    "wl.maps",
    "wl.targets",
    "wl.models",
    "wl.planted",
    "wl.runs",
    "wl.frontends",
)
RESULTS = {  # what calls return or take, and nobody makes by hand; abstract classes and executors
    "wl": "Attributions Band Bandwidth Domain Explanation Extent Joint Layout Scale TiledExplanation",
    "wl.metrics": "Case Curves Randomization",
    "wl.masks": "Decomposed Minimal Pursuit each_stem magnitude signed",
    "wl.maps": "Band Coefficients Layout Marginal Profile Rose Scale TimeFrequency band_sums checked_axis "
    "mosaic_slices scale_sums",
    "wl.targets": "Detection ObjectText Strongest check_target describe joined parsed scores texts",
    "wl.models": "Around CheckpointWarning Geometry LoadedModel Normalized Options Pair Parts Preparation PromptHead "
    "ResNet3D Sampling TwoTowers VideoGeometry Voxels Windowed imagenet_labels prompted",
    "wl.planted": "Interval Judgement PlantedNetwork PlantedSignals Scores Training Truth Verification "
    "explained_signals of_attribution planted_scale score_lists target_of",
    "wl.runs": "Average Executor Failure Local Processes Progress Ray Results Run Task",
    "wl.frontends": "AudioFile ImageFile RasterFile RasterHeader Video VideoFile Volume dicom_display open_video "
    "read_dicom_image volume_cost",
}
NEEDS = {
    "wl.Captum": "captum",
    "wl.Zennit": "zennit",
    "wl.explain_tiles": "rasterio",
    "wl.models.Onnx": "onnx onnxruntime",
    "wl.frontends.read_video": "av",
    "wl.frontends.write_video": "av",
    "wl.frontends.read_resolutions": "rasterio",
    "wl.frontends.write_raster": "rasterio",
    "wl.frontends.write_volume": "nibabel",
}
MAX_LINES = 7  # a class that the example defines has four of them
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def is_called(value: object) -> bool:
    return callable(value) and getattr(value, "__module__", "").startswith("wavelens")


def public() -> dict[str, object]:
    """The callables of the public namespaces by their full names, without `RESULTS`."""
    callables = {}
    for space in NAMESPACES:
        module = importlib.import_module(space.replace("wl", "wavelens", 1))
        names = getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")])
        kept = (name for name in names if name not in RESULTS[space].split() and is_called(getattr(module, name)))
        callables |= {f"{space}.{name}": getattr(module, name) for name in kept}
    return callables


PUBLIC = public()


def examples(text: str) -> list[doctest.Example]:
    return doctest.DocTestParser().get_examples(text)


def failures(name: str, text: str, names: dict[str, object]) -> str:
    """What differs from what a docstring says its examples print; `names` are those they start from and leave."""
    test = doctest.DocTest(examples(text), names, name, None, None, text)
    said: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.append, clear_globs=False)
    names |= test.globs
    return "".join(said)


@pytest.fixture
def names(tmp_path, monkeypatch) -> dict[str, object]:
    """The model and the picture of the package's own docstring, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    shared: dict[str, object] = {"__name__": "examples"}
    assert failures("wavelens", wl.__doc__, shared) == ""
    return shared


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.needs(*NEEDS[name].split()) if name in NEEDS else ()) for name in PUBLIC],
)
def test_an_example_prints_what_it_says(name, names):
    value = PUBLIC[name]
    module = inspect.getmodule(inspect.unwrap(value))
    text = inspect.getdoc(value) or ""
    lines = "".join(example.source for example in examples(text)).splitlines()
    assert 0 < len(lines) <= MAX_LINES, f"{name} has no example of at most {MAX_LINES} lines"
    assert failures(name, text, vars(module) | names) == ""


def test_names_without_an_example_are_public_ones():
    for space, excepted in RESULTS.items():
        module = importlib.import_module(space.replace("wl", "wavelens", 1))
        assert [name for name in excepted.split() if not hasattr(module, name)] == []


def test_a_wrong_example_is_a_failure():
    assert "Expected" in failures("wrong", ">>> 1 + 1\n3", {})
