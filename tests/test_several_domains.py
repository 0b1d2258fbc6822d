"""Several `--domain` at once: each as it is alone, from one pass of gradients, in files, tables and a report."""

import json
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import wavelens as wl
from wavelens.cli import main
from wavelens.explaining.by_domain import bases
from wavelens.frontends import Clip, write_audio
from wavelens.marginal import short_names

OWN = """
import torch
from wavelens.models import Geometry, LoadedModel, Voxels
from wavelens.models.preparations.audio import Sampling

class Halves(torch.nn.Module):
    passes = 0
    def forward(self, x):
        Halves.passes += len(x)
        return 20 * torch.stack([half.square().flatten(1).mean(1) for half in x.tensor_split(2, 2)], 1)

def photo():
    return LoadedModel(Halves(), ("top", "bottom"), Geometry((16, 16), (16, 16), squash=True), "photo")

def sound():
    return LoadedModel(Halves(), ("early", "late"), Sampling(2000), "sound")

def volume():
    return LoadedModel(Halves(), ("top", "bottom"), Voxels((1, 8, 8, 8), (0, 1)), "volume")
"""
KINDS = [
    ("photo", "photo.png", ["DualTree(levels=2)", "DWT('haar')", "DWT('db2', levels=2)"]),
    ("sound", "sound.wav", ["DWT('db4', levels=4)", "ConstantQ(per_octave=3)", "STFT('hann', 64)"]),
    ("volume", "volume.npy", ["DWT('haar', levels=2)", "DualTree(levels=1)"]),
]
METHOD = "IntegratedGradients(steps=4)"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "own_halves.py").write_text(OWN)
    numbers = torch.Generator().manual_seed(0)
    Image.fromarray((255 * torch.rand(18, 20, 3, generator=numbers)).byte().numpy()).save(tmp_path / "photo.png")
    write_audio(tmp_path / "sound.wav", Clip(2 * torch.rand(1, 2, 1500, generator=numbers) - 1, 3000))
    np.save(tmp_path / "volume.npy", 300 * torch.rand(9, 10, 11, generator=numbers).numpy())
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def explain(name, kind, domains, *words):
    given = [word for domain in domains for word in ("--domain", domain)]
    return main(
        ["explain", name, "--model", f"own_halves:{kind}", "--method", METHOD, *given, "--device", "cpu", *words]
    )


@pytest.mark.parametrize(("kind", "name", "domains"), KINDS)
def test_each_domain_gives_what_it_gives_alone(folder, kind, name, domains):
    assert explain(name, kind, domains, "--out", "together", "--report") == 0
    stem, together = Path(name).stem, Path("together")
    record = json.loads((together / f"{stem}.json").read_text())
    blocks = [record, *record["further_domains"]]
    own = ["", *(block["files"] for block in record["further_domains"])]
    assert len(set(own)) == len(domains)
    for domain, block, base in zip(domains, blocks, own, strict=True):
        assert explain(name, kind, [domain], "--out", "alone") == 0
        alone = json.loads(Path(f"alone/{stem}.json").read_text())
        assert {key: alone[key] for key in ("domain", "gap", "profile")} == {
            key: block[key] for key in ("domain", "gap", "profile")
        }
        stored = [
            wl.Attribution.load(f"alone/{stem}.safetensors"),
            wl.Attribution.load(together / f"{stem}{base}.safetensors"),
        ]
        assert torch.equal(stored[0].data, stored[1].data)
        assert stored[0].provenance == stored[1].provenance
        panels = [np.asarray(Image.open(path)) for path in (f"alone/{stem}.png", together / f"{stem}{base}.png")]
        assert np.array_equal(*panels)
        if kind == "sound":
            sounds = {path.name for path in Path(f"alone/{stem}-sounds").iterdir()}
            assert sounds == {path.name for path in (together / f"{stem}{base}-sounds").iterdir()}
            for path in Path("alone").rglob("*.wav"):
                path.unlink()
    assert "further_domains" not in alone
    assert "marginal" not in alone


@pytest.mark.parametrize(("kind", "name", "domains"), KINDS)
def test_all_domains_come_from_one_pass_of_gradients(folder, kind, name, domains):
    model = wl.models.load(f"own_halves:{kind}")
    passes = []
    for some in (domains[:1], domains):
        type(model.module).passes = 0
        options = {"domain": [wl.parse(one) for one in some], "interventions": False}  # those have passes of their own
        explanation = wl.explain(name, model, method=wl.parse(METHOD), **options)
        passes.append(type(model.module).passes)
    assert passes[0] == passes[1] > 4
    assert [a.domain for a in explanation.attributions] == [wl.parse(one) for one in domains]
    rise = explanation.attribution.score - explanation.attribution.baseline_score
    for a in explanation.attributions:
        assert float(a.data.sum() + a.gap) == pytest.approx(float(rise), rel=1e-4)


@pytest.mark.parametrize(("kind", "name", "domains"), KINDS)
def test_the_marginal_account_is_the_same_everywhere(folder, capsys, kind, name, domains):
    assert explain(name, kind, domains, "--out", "found", "--report") == 0
    printed, record = capsys.readouterr().out, json.loads(Path(f"found/{Path(name).stem}.json").read_text())
    several = wl.explain(
        name,
        f"own_halves:{kind}",
        domain=[wl.parse(one) for one in domains],
        method=wl.parse(METHOD),
        device="cpu",
    )
    account = wl.maps.marginal(several.attributions)
    assert [row["scale"] for row in record["marginal"]] == list(account.names)
    for key in ("share", "share_spread", "signed", "signed_spread"):
        assert [row[key] for row in record["marginal"]] == getattr(account, key)[0].tolist()
    assert np.transpose([row["shares"] for row in record["marginal"]]).tolist() == account.shares[:, 0].tolist()
    assert f"{len(domains)} domains together, mean ± spread" in printed
    assert printed.count("in DWT, ") == sum(one.startswith("DWT") for one in domains)
    page = unescape(Path("found/report.html").read_text(encoding="utf-8"))
    assert page.count('class="block"') == len(domains)
    assert len(re.findall(r'id="data-0(?:-\d)?">', page)) == len(domains)
    assert f"<h3>{len(domains)} domains together</h3>" in page
    for k, mean in enumerate(account.share[0].tolist()):
        assert f"± {100 * float(account.share_spread[0, k]):.2g}" in page
        assert f"{mean:.1%}" in printed
    assert np.asarray(Image.open(f"found/{Path(name).stem}-marginal.png")).std() > 10


def test_the_command_in_a_report_names_every_domain(folder):
    domains = [wl.DualTree(levels=2), wl.DWT("haar")]
    explanation = wl.explain("photo.png", "own_halves:photo", domain=domains, method=wl.parse(METHOD), device="cpu")
    command = explanation.entry().command
    assert command.count("--domain") == 2
    bare = wl.explain("photo.png", wl.models.load("own_halves:photo").module, domain=domains, method=wl.parse(METHOD))
    again = eval(bare.entry().command, {"wl": wl, "model": wl.models.load("own_halves:photo").module})
    assert [torch.equal(a.data, b.data) for a, b in zip(bare.attributions, again.attributions, strict=True)] == [
        True
    ] * 2


def test_domains_without_common_scales_say_so(folder, capsys):
    assert explain("photo.png", "photo", ["DWT('haar', levels=2)", "Identity()"], "--out", "found", "--report") == 0
    reason = "no common account: a marginal account must be over domains that tell the same scales apart; got"
    assert reason in " ".join(capsys.readouterr().out.split())
    assert json.loads(Path("found/photo.json").read_text())["marginal"]["missing"].startswith("a marginal account")
    assert not Path("found/photo-marginal.png").exists()
    assert "There is no common account: a marginal account" in Path("found/report.html").read_text(encoding="utf-8")


def test_no_two_files_have_one_name(folder):
    (folder / "photo-dwt.png").write_bytes((folder / "photo.png").read_bytes())
    domains = ["DualTree(levels=1)", "DWT('haar', levels=1)", "DWT('haar', levels=2)"]
    assert explain("photo.png", "photo", domains, "photo-dwt.png", "--out", "found") == 0
    names = sorted(path.name for path in Path("found").iterdir())
    assert len(names) == 2 * (3 * 3 + 2)  # panel, overlay and attribution of each, one JSON, the marginal account
    assert {"photo-DWT.png", "photo-DWT-2.png", "photo-marginal.png", "photo-dwt-3.json"} <= set(names)
    assert json.loads(Path("found/photo-dwt-3.json").read_text())["photo"] == "photo-dwt.png"
    assert explain("photo.png", "photo", domains, "photo-dwt.png", "--out", "found") == 0  # an earlier run is replaced
    assert sorted(path.name for path in Path("found").iterdir()) == names


def test_domains_have_short_names_that_differ():
    domains = [wl.DWT("haar"), wl.DualTree(), wl.DWT("db4"), wl.Shifted(wl.DWT("haar"), (0, 1)), wl.DWT("db2")]
    assert short_names(domains) == ["DWT", "DualTree", "DWT-2", "Shifted", "DWT-3"]
    assert bases(domains) == ["", "-DualTree", "-DWT-2", "-Shifted", "-DWT-3"]


@pytest.mark.parametrize(
    ("domain", "sentence"),
    [
        ([wl.DWT("haar"), wl.DWT("haar")], "each domain can be given only once; got DWT"),
        ([], "domain must be one domain or several; got none"),
        ([wl.DWT("haar"), "DWT('db4')"], "domain must be a domain such as"),
        ([wl.DWT("haar"), wl.DWT("db4", levels=9)], "levels=9"),
    ],
)
def test_domains_that_are_none(folder, domain, sentence):
    with pytest.raises(ValueError, match=sentence):
        wl.explain("photo.png", "own_halves:photo", domain=domain, device="cpu")


def test_a_domain_given_twice_is_one_line(folder, capsys):
    assert explain("photo.png", "photo", ["DWT('haar')", "DWT('haar')"]) == 2
    assert capsys.readouterr().err.startswith("error: each domain can be given only once; got DWT(wavelet='haar'")
