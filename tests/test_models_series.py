"""PhaseNet: its lengths and padding, its weights from a file, and a pick by the command's words."""

import importlib
import sys
from types import ModuleType

import pytest
import torch
from safetensors.torch import save_file

import wavelens as wl
from wavelens.frontends import Series, write_series
from wavelens.models.networks.phasenet import PhaseNet, _padded


def network():
    torch.manual_seed(0)
    return PhaseNet().eval()


@pytest.mark.parametrize("samples", [3000, 3001, 2400, 97])
def test_each_sample_has_an_answer(samples):
    x = torch.randn(2, 3, samples, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert network()(x).shape == (2, 3, samples)


@pytest.mark.parametrize(("n", "before", "after"), [(3000, 1, 2), (750, 2, 3), (188, 1, 2), (47, 2, 2), (4, 1, 2)])
def test_strided_convolutions_pad_as_tensorflow_does(n, before, after):
    """As `tf.nn.conv1d(…, padding="SAME")`: ⌈n / 4⌉ results, the odd zero at the end."""
    padded = _padded(torch.ones(1, 1, n))
    assert padded.shape[-1] == before + n + after
    assert padded[0, 0, :before].sum() == padded[0, 0, before + n :].sum() == 0
    assert (padded.shape[-1] - 7) // 4 + 1 == -(-n // 4)


def test_it_has_the_published_number_of_parameters():
    assert sum(p.numel() for p in network().parameters()) == 268_443


def test_what_lies_far_away_changes_nothing_and_a_shift_by_the_coarsest_stride_moves_the_answer():
    net = network()
    x = torch.zeros(1, 3, 4096)
    x[..., 1500:1600] = torch.randn(3, 100, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole, moved = net(x), net(x.roll(256, -1))
    torch.testing.assert_close(moved[..., 1300:2300], whole[..., 1044:2044], rtol=1e-4, atol=1e-5)


def test_a_pick_is_explained_by_name(tmp_path):
    net = network()
    save_file(net.state_dict(), str(tmp_path / "weights.safetensors"))
    x = torch.randn(3, 3200, generator=torch.Generator().manual_seed(1))
    names = ("XX.AAA..HHZ", "XX.AAA..HHE", "XX.AAA..HHN")
    write_series(tmp_path / "quake.csv", Series(x[None], 100.0, names))
    one = wl.explain(
        tmp_path / "quake.csv",
        "phasenet",
        weights=str(tmp_path / "weights.safetensors"),
        target="p(S)@3.2-3.4s",
        method=wl.InputTimesGradient(),
        device="cpu",
    )
    assert [row["channel"] for row in one.by_channel] == ["E", "N", "Z"]
    assert one.target.label == "p(S) at 3.2 to 3.4 s"
    taken = x[[1, 2, 0], :3000]
    scaled = (taken - taken.mean(-1, keepdim=True)) / taken.std(-1, keepdim=True, correction=0)
    with torch.no_grad():
        expected = net(scaled[None]).softmax(1)[0, 2, 320:340].mean()
    torch.testing.assert_close(one.attribution.score[0], expected)


def test_without_weights_it_is_one_line():
    with pytest.raises(ValueError, match="phasenet comes without weights: give a checkpoint of PhaseNet's layers"):
        wl.models.load("phasenet", any_output=True)


@pytest.mark.needs("seisbench.models")
@pytest.mark.parametrize(
    ("name", "phases", "samples"),
    [('PhaseNet(phases="PSN")', ("P", "S", "N"), 3001), ("EQTransformer", ("Detection", "P", "S"), 6000)],
)
def test_pickers_of_seisbench_by_name(tmp_path, name, phases, samples):
    import seisbench.models

    torch.manual_seed(0)
    cls, _, arguments = name.partition("(")
    own = getattr(seisbench.models, cls)(**({"phases": "PSN"} if arguments else {})).eval()
    save_file(own.state_dict(), str(tmp_path / "weights.safetensors"))
    loaded = wl.models.load(f"seisbench:{name}", weights=str(tmp_path / "weights.safetensors"), any_output=True)
    assert loaded.labels == phases
    assert loaded.preprocess == wl.models.Traces((3, samples), 100.0, ("Z", "N", "E"), "standard")
    x = torch.randn(2, 3, samples, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        output = own(x)
        expected = torch.stack(output, 1) if isinstance(output, tuple) else output
        torch.testing.assert_close(loaded.module(x), expected)
    with pytest.raises(ValueError, match="comes without weights: name those that it downloads"):
        wl.models.load(f"seisbench:{name}", any_output=True)
    with pytest.raises(ValueError, match=r"SeisBench has no model 'Nothing'\. It has "):
        wl.models.load("seisbench:Nothing", any_output=True)


class EEGNet(torch.nn.Module):
    """Stands in for braindecode's where that is not installed: its arguments, and its answer `(batch, n_outputs)`."""

    def __init__(self, n_chans=None, n_outputs=None, n_times=None, sfreq=None, drop_prob=0.25):
        super().__init__()
        if sfreq is not None and sfreq <= 0:
            raise ValueError("sfreq is above 0")
        self.temporal, self.final = torch.nn.Conv1d(n_chans, 4, 9, padding=4), torch.nn.Linear(4, n_outputs)

    def forward(self, x):
        return self.final(self.temporal(x).square().mean(2))


@pytest.fixture
def braindecode_models(monkeypatch):
    """The models of braindecode, or a stand-in with its interface."""
    try:
        return importlib.import_module("braindecode.models")
    except ImportError:
        models = ModuleType("braindecode.models")
        models.EEGNet = EEGNet
        monkeypatch.setitem(sys.modules, "braindecode", ModuleType("braindecode"))
        monkeypatch.setitem(sys.modules, "braindecode.models", models)
        return models


def test_networks_of_braindecode_by_name(tmp_path, braindecode_models):
    torch.manual_seed(0)
    own = braindecode_models.EEGNet(n_chans=3, n_outputs=2, n_times=256, sfreq=128).eval()
    torch.save(own.state_dict(), tmp_path / "weights.pth")
    name, weights = "braindecode:EEGNet(n_chans=3, n_outputs=2, n_times=256, sfreq=128)", str(tmp_path / "weights.pth")
    loaded = wl.models.load(name, weights=weights)
    assert loaded.preprocess == wl.models.Traces((3, 256), 128.0)
    x = torch.randn(2, 3, 256, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(loaded.module(x), own(x))
    write_series(tmp_path / "rest.csv", Series(x[:1], 128.0, ("Fz", "Cz", "Pz")))
    one = wl.explain(
        tmp_path / "rest.csv", name, weights=weights, target=1, method=wl.InputTimesGradient(), device="cpu"
    )
    assert one.attribution.score[0] == pytest.approx(own(x[:1])[0, 1].item(), rel=1e-5)
    assert [row["channel"] for row in one.by_channel] == ["Fz", "Cz", "Pz"]
    for text, message in (
        ("EEGNet(n_chans=3)", r"braindecode:EEGNet is given its n_outputs, n_times"),
        ("EEGNet(n_chans=3, n_outputs=2, n_times=256, size=1)", "could not be built: .*size"),
        ("Nothing(n_chans=3)", r"braindecode has no model 'Nothing'\. It has EEGNet"),
    ):
        with pytest.raises(ValueError, match=message):
            wl.models.load(f"braindecode:{text}", weights=weights)
    with pytest.raises(ValueError, match="braindecode:EEGNet comes without weights; give a checkpoint"):
        wl.models.load(name)


@pytest.mark.parametrize("name", ["seisbench:PhaseNet", "braindecode:EEGNet(n_chans=3, n_outputs=2, n_times=256)"])
def test_a_library_that_is_missing_is_named(monkeypatch, name):
    monkeypatch.setitem(sys.modules, f"{name.partition(':')[0]}.models", None)
    with pytest.raises(ImportError, match=f"pip install {name.partition(':')[0]}"):
        wl.models.load(name, any_output=True)
