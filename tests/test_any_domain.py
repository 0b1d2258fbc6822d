"""Panels, reports, command and app know no domain by its class: what they ask, a domain says of itself."""

import ast
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import wavelens as wl
from cases import relative, signal
from wavelens import domains
from wavelens.app.choices import NO_WAVELET, usual_name
from wavelens.explaining.request import wavelets_like

SOURCE = Path(wl.__file__).parent
FOLDERS = ("app", "cli", "explaining", "plots", "reports")
HELPERS = {"best_basis", "from_pywt", "to_pywt"}
CLASSES = {*domains.__all__, "Bound", "FilterBank", "ItemDomain"} - HELPERS - {"Joint"}  # that holds several signals


@dataclass(frozen=True)
class Mine(wl.core.Domain):
    """A domain of a wavelet and of levels that nothing of the library derives from."""

    wavelet: str = "db2"
    depth: int = 5

    def analysis(self, x):
        raise NotImplementedError

    synthesis = analysis

    def with_wavelet(self, wavelet):
        return replace(self, wavelet=wavelet)

    def with_levels(self, levels):
        return replace(self, depth=min(levels))

    def within(self, signal_shape):
        return replace(self, depth=min(self.depth, min(signal_shape).bit_length() - 1))


def names_in(node):
    return {getattr(one, "id", None) or getattr(one, "attr", None) for one in ast.walk(node)} & CLASSES


def asked_for(code):
    """The classes of domains for which a program looks, by isinstance, match or comparison."""
    classes = set()
    for node in ast.walk(ast.parse(code)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("isinstance", "issubclass")
        ):
            classes |= names_in(node.args[1])
        elif isinstance(node, ast.MatchClass):
            classes |= names_in(node.cls)
        elif isinstance(node, ast.Compare):
            words = {
                one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)
            }
            classes |= (words & CLASSES) | {one.id for one in node.comparators if isinstance(one, ast.Name)} & CLASSES
    return classes


@pytest.mark.parametrize(
    "code",
    [
        "isinstance(a.domain, wl.DWT | wl.Packets)",
        "match d:\n    case STFT(): pass",
        "type(d) is Identity",
        "type(d).__name__ in ('Fourier', 'Cosine')",
    ],
)
def test_a_question_for_a_class_is_seen(code):
    assert asked_for(code)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_domain_is_known_by_its_class(folder):
    files = sorted((SOURCE / folder).rglob("*.py"))
    assert files
    assert {str(file): found for file in files if (found := asked_for(file.read_text(encoding="utf-8")))} == {}


def test_a_domain_of_ones_own_is_asked_as_those_of_the_library_are():
    assert usual_name(Mine()) == "db2"
    assert usual_name(wl.DWT("sym4", levels=3)) == "sym4"
    assert usual_name(wl.Fourier(2)) == NO_WAVELET
    assert wavelets_like(Mine(), ["haar", " db4"]) == (Mine("haar"), Mine("db4"))
    assert wavelets_like(wl.Stationary("haar", 2), ["db4"]) == (wl.Stationary("db4", 2),)
    with pytest.raises(ValueError, match="--decompose shows wavelets"):
        wavelets_like(wl.Cosine(), ["haar"])
    assert wl.Shifted(Mine()).within((9, 40)) == wl.Shifted(Mine(depth=3))


DEEP = [wl.DWT("haar", 4), wl.Packets(levels=4), wl.Stationary("haar", 4), wl.DualTree(4), wl.ConstantQ(2, 9)]


@pytest.mark.parametrize("shape", [(5,), (3, 21)], ids=str)
def test_within_short_signals_a_domain_has_levels_that_fit(shape):
    for domain in [
        *DEEP,
        wl.DWT("haar", (4,) * len(shape)),
        wl.Fourier(9),
        wl.Cosine(9),
        *[wl.Shearlets(4)] * (len(shape) - 1),
    ]:
        with pytest.raises(ValueError, match="Pass at most"):
            domain.layout(shape)
        fitting = domain.within(shape)
        fitting.layout(shape)
        assert fitting.within(shape) == fitting
        assert domain.within((2**16,) * len(shape)) == domain
    assert wl.DWT("haar", (4, 4)).within((3, 21)) == wl.DWT("haar", (1, 4))


@pytest.mark.parametrize(
    "domain", [wl.DWT("db2", 3), wl.DWT("haar", (3, 1)), wl.Packets("haar", 2), wl.Stationary("db2", 2)]
)
def test_a_signal_moved_by_a_period_has_coefficients_that_are_moved(domain):
    x = signal((16, 24))
    for one in (domain, wl.Shifted(domain, (0, 1))):
        z = one.analysis(x)
        period = one.period(z.layout)
        assert period == {"DWT": 8, "Packets": 4, "Stationary": 1}[type(domain).__name__]
        after = one.analysis(x.roll((period, period), (2, 3)))
        for band, part in z:
            steps = [period * m // n for m, n in zip(band.shape, (16, 24), strict=True)]
            assert relative(after[band], part.roll(steps, (2, 3))) < 1e-12
