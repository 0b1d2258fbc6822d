"""The guide on listening runs as it stands, and what it writes is what it says."""

import pytest
import torch

import snippets
from wavelens.frontends import read_audio


@pytest.fixture(scope="module")
def guide(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heard")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return snippets.run("guides/listening.md"), folder


def kept(names, sound):
    heard = names["mask"].apply(sound[None, None])
    return (heard.square().sum() / sound.square().sum()).item()


def test_the_chirps_stay_and_the_hum_goes(guide):
    names, folder = guide
    assert kept(names, names["chirps"]) > 0.45
    assert kept(names, names["hum"]) < 1e-6
    assert torch.equal(read_audio(folder / "heard.wav").data, names["mask"].apply(names["clip"]))


def test_the_written_stems_add_up_to_the_clip(guide):
    names, folder = guide
    written = {path.stem: read_audio(path).data for path in folder.glob("stem-*.wav")}
    assert set(written) == {"stem-a6", "stem-residue", *(f"stem-d{level}" for level in range(1, 7))}
    torch.testing.assert_close(sum(written.values()), names["clip"], rtol=0, atol=1e-6)
    dropped = names["mask"].complement().apply(names["hum"][None, None])
    assert (dropped - names["hum"]).square().mean() < 0.1 * names["hum"].square().mean()


def test_the_thirds_add_up_to_the_clip_and_end_within_an_octave(guide):
    names, folder = guide
    written = {path.stem.partition("-")[2]: read_audio(path).data for path in folder.glob("third-*.wav")}
    torch.testing.assert_close(sum(written.values()), names["clip"], rtol=0, atol=1e-6)
    cycles = torch.linspace(0, 0.5, names["clip"].shape[-1] // 2 + 1)
    for scale in names["fine"].domain.scales(names["fine"].layout):
        power = torch.fft.rfft(written[scale.name].double()).abs().square()[0, 0]
        away = (cycles < scale.extent[0].low / 2) | (cycles > 2 * scale.extent[0].high)
        assert power[away].sum() <= 1e-9 * power.sum()
