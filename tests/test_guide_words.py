"""The guide on a picture and its words runs as it stands, and what it says of its pair holds."""

import importlib.util
import json
import shlex

import torch

import wavelens as wl
from snippets import DOCS, ROOT, commands
from wavelens.cli import main


def test_the_guide_and_its_command(run_page, tmp_path, capsys):
    names = run_page("guides/words.md")
    both, account = names["both"], names["account"]
    assert account.words == ("a", "red", "square", "and", "blue", "stripes")
    values = dict(zip(account.words, account.values.tolist(), strict=True))
    assert min(values["red"], values["blue"], values["stripes"]) > 0.01
    assert max(abs(values[word]) for word in ("a", "square", "and")) < 1e-9
    rise = account.score - account.baseline_score
    assert abs(float(both.signal.data.sum() + account.values.sum()) + account.gap - rise) < 1e-4
    assert abs(account.gap) <= 0.02 * abs(rise)
    places = {word: divmod(int(heat.argmax()), 64) for word, heat in names["heats"].items()}
    assert all(6 <= place < 30 for place in places["red"])
    assert all(34 <= place < 62 for place in (*places["blue"], *places["stripes"]))
    by_scale = both.by_scale
    stripes = dict(zip(by_scale.scales, by_scale.interaction[:, 5].tolist(), strict=True))
    assert max(stripes, key=stripes.get) == "d1"
    assert abs(float(by_scale.scale_values.sum() + by_scale.word_values.sum()) - rise) < 1e-4

    record = names["explanation"].summary["sides"]
    assert record["text"] == "a red square and blue stripes"
    assert [row["word"] for row in record["rows"]] == list(account.words)
    for row, value in zip(record["rows"], account.values.tolist(), strict=True):
        assert abs(row["signed"] - value) < 0.05
    page = (tmp_path / "squares.html").read_text(encoding="utf-8")
    assert page.count('class="term ') == 6
    assert "showSides" in page
    assert (tmp_path / "squares-panel.png").stat().st_size > 20_000

    parts = names["read"].parts
    assert list(parts) == ["document", "phrases", "words"]
    assert abs(parts["document"][0] - float(names["read"].values.sum())) < 1e-4 * abs(parts["document"][0])
    swap = names["swap"].account
    assert abs(float(names["swap"].signal.data.sum() + swap.values.sum()) + swap.gap - swap.score) < 1e-4
    red, blue = swap.values[[1, 4]].tolist()
    assert blue < 0 < red

    lines = [line for line in commands(DOCS / "guides/words.md") if "colours:pair" in line]
    assert main(shlex.split(lines[0])[1:]) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert "the words of 'a red square', then those of 'a blue square' against it" in said
    written = json.loads((tmp_path / "wavelens-out" / "squares.json").read_text(encoding="utf-8"))["sides"]
    assert [row.get("against", False) for row in written["rows"]] == [False] * 3 + [True] * 3
    assert set(written["text_scales"]) == {"document", "words"}
    saved = wl.Attributions.load(tmp_path / "wavelens-out" / "squares.safetensors")
    assert set(saved) == {"signal", "text", "against"}
    line = lines[1]
    assert main(shlex.split(line)[1:]) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert "stripes" in said
    assert "× d1" in said
    written = json.loads((tmp_path / "wavelens-out" / "squares.json").read_text(encoding="utf-8"))
    assert [row["word"] for row in written["sides"]["rows"]] == list(account.words)
    saved = wl.Attributions.load(tmp_path / "wavelens-out" / "squares.safetensors")
    assert set(saved) == {"signal", "text"}
    assert torch.equal(saved.joint.gap.isfinite(), torch.tensor([True]))
    assert main(["explain", "squares.png", "--words"]) == 2
    assert "is not a pair with a prompt" in capsys.readouterr().err


def test_the_tables_of_the_guide_are_those_of_the_records():
    path = ROOT / "benchmarks" / "pairs" / "words_tables.py"
    spec = importlib.util.spec_from_file_location("words_tables", path)
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    page = (DOCS / "guides/words.md").read_text(encoding="utf-8")
    assert tables.guides.filled(page, tables.tables()) == page
