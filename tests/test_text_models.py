"""Text classifiers of transformers, tiny and random, of several families: what they are given, and what comes back."""

import json
import re

import pytest
import torch

import wavelens as wl
from text_models import LABELS, REVIEW, saved
from wavelens.cli import main
from wavelens.frontends import Text

pytestmark = pytest.mark.needs("transformers", "tokenizers")
FAMILIES = ["bert", "distilbert", "roberta", "gpt2"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("bert"), longest=32)


@pytest.fixture
def review(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "review.txt").write_text(REVIEW, encoding="utf-8")
    return tmp_path / "review.txt"


@pytest.mark.parametrize("family", FAMILIES)
def test_embeddings_give_the_logits_of_the_tokens(tmp_path, family):
    import transformers

    folder = saved(tmp_path, family, longest=256)
    loaded = wl.models.load(f"hf:{folder}")
    x = loaded.preprocess(Text(REVIEW))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        expected = model(**tokenizer(REVIEW, return_tensors="pt")).logits
        assert torch.allclose(loaded.module(x), expected, atol=1e-5)
        both = loaded.module(torch.cat([torch.zeros_like(x), x]))  # a batch, of which one is blank
        assert torch.allclose(both[1:], expected, atol=1e-5)
        blank = tokenizer.mask_token_id if tokenizer.mask_token_id is not None else tokenizer.eos_token_id
        edges = {"bert": (2, 3), "distilbert": (2, 3), "roberta": (0, 2)}.get(family, ())
        ids = [*edges[:1], *[blank] * x.shape[-1], *edges[1:]]
        assert torch.allclose(
            both[:1], model(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids))).logits, atol=1e-5
        )
    assert expected.diff().abs() > 1e-3
    assert loaded.labels == LABELS


@pytest.mark.parametrize("family", FAMILIES)
def test_words_and_their_pieces_are_those_of_the_text(tmp_path, family):
    loaded = wl.models.load(f"hf:{saved(tmp_path, family, longest=256)}")
    worded = loaded.preprocess.worded(Text(f" {REVIEW}\n"))
    pairs = zip(worded.before, worded.words, strict=True)
    assert "".join(before + word.text for before, word in pairs) + worded.after == f" {REVIEW}\n"
    assert [word.text for word in worded.words] == REVIEW.split()
    assert [word.start for word in worded.words][1:] == [word.stop for word in worded.words][:-1]
    assert worded.words[-1].stop == len(worded.begins)
    assert [begins for begins in worded.begins if begins] == [4, 1, 1, 1, 2, 1, 3, 1, 1, 3, 1, 1, 1, 2, 1, 4, 1, 1, 1]


def test_the_account_adds_up_over_scales_and_over_words(bert, review):
    explanation = wl.explain(review, f"hf:{bert}", target="positive", method=wl.IntegratedGradients(steps=64))
    a, words = explanation.attribution, explanation.words
    rise = float(a.score - a.baseline_score)
    names = ["document", "paragraphs", "sentences", "phrases", "words", "pieces"]
    assert [row["scale"] for row in explanation.profile] == names
    assert sum(row["signed"] for row in explanation.profile) == pytest.approx(rise, rel=1e-2)
    assert sum(words.values) == pytest.approx(rise, rel=1e-2)
    assert sum(row["signed"] for row in explanation.profile) == pytest.approx(sum(words.values), rel=1e-3)
    assert explanation.shapley.standard_error is None
    assert float(explanation.shapley.values.sum()) == pytest.approx(rise, rel=1e-4)
    assert float(words.shapley.values.sum()) == pytest.approx(rise, rel=1e-4)  # sampled
    one = wl.shapley(
        wl.models.load(f"hf:{bert}").module, explanation.input.x, 1, domain=wl.Identity(), groups="channels",
        method=wl.ScaleShapley(max_permutations=8),
    )  # fmt: skip
    assert float(one.values.sum()) == pytest.approx(rise, rel=1e-4)


def test_words_are_exact_where_they_are_few(bert, tmp_path):
    (tmp_path / "short.md").write_text("Never a dull film", encoding="utf-8")
    explanation = wl.explain(tmp_path / "short.md", f"hf:{bert}", target=1, method=wl.IntegratedGradients(steps=8))
    values, x = explanation.words.shapley, explanation.input.x
    assert values.standard_error is None
    module = wl.models.load(f"hf:{bert}").module
    with torch.no_grad():
        without = x.clone()
        without[..., 2] = 0
        fall = module(x)[0, 1] - module(without)[0, 1]
    assert float(values.last[0, 2]) == pytest.approx(float(fall), abs=1e-5)
    assert [row["word"] for row in explanation.summary["words"]] == ["Never", "a", "dull", "film"]


def test_the_command_explains_a_text_and_reports(bert, review, capsys):
    words = ["--target", "positive", "--method", "IntegratedGradients(steps=4)", "--device", "cpu", "--report"]
    assert main(["explain", "review.txt", "--model", f"hf:{bert}", *words, "--out", "found"]) == 0
    said = capsys.readouterr().out
    assert re.search("its (rise over|fall below) a blank text comes from these scales", said)
    assert "The words with the largest contributions are “" in said
    assert "By Shapley value they are “" in said
    summary = json.loads((review.parent / "found/review.json").read_text())
    assert summary["text"] == "review.txt"
    assert [row["word"] for row in summary["words"]] == REVIEW.split()
    assert summary["domain"] == "TextHaar()"
    page = (review.parent / "found/report.html").read_text(encoding="utf-8")
    assert '"view":"text"' in page
    assert "VIEWS.text = showText" in page
    assert "--domain &#x27;TextHaar()&#x27;" in page or "--domain TextHaar" in page
    assert (review.parent / "found/review.png").stat().st_size > 10_000
    assert wl.Attribution.load(review.parent / "found/review.safetensors").layout.scales().keys() >= {"words"}


def test_a_text_beyond_the_context_is_read_in_windows(bert, tmp_path):
    long = " ".join([REVIEW] * 3)
    (tmp_path / "long.txt").write_text(long, encoding="utf-8")
    with pytest.raises(ValueError, match=r"texts of up to 30 tokens; got 81\. Read it in windows by --windows"):
        wl.explain(tmp_path / "long.txt", f"hf:{bert}")
    explanation = wl.explain(
        tmp_path / "long.txt", f"hf:{bert}", windows=True, target=1, method=wl.IntegratedGradients(steps=8)
    )
    module, x = wl.models.load(f"hf:{bert}", windows=True).module, explanation.input.x
    with torch.no_grad():
        each = torch.stack([module(part) for part in x.tensor_split(3, -1)])
        assert torch.allclose(module(x), each.mean(0), atol=1e-5)
    alone = [
        wl.attribute(module, part, 1, domain=wl.Identity(), method=wl.IntegratedGradients(steps=8))
        for part in x.tensor_split(3, -1)
    ]
    together = torch.cat([a.data for a in alone], -1) / 3
    assert torch.allclose(explanation.words.attribution.data, together, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("empty.txt", b"  \n", "a text has at least one word; empty.txt has none"),
        ("photo.jpg", b"\xff\xd8\xff\xe0\x10JFIF", "photo.jpg is a photo; "),
        ("long.txt", b"film " * 99, "long.txt: this model takes texts of up to 30 tokens; got 99"),
    ],
)
def test_wrong_texts_get_a_line(bert, tmp_path, monkeypatch, capsys, name, data, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(data)
    assert main(["explain", name, "--model", f"hf:{bert}", "--device", "cpu"]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert said in lines[0]


def test_options_of_texts_are_refused_elsewhere(tmp_path, monkeypatch, review, capsys):
    assert main(["explain", str(review)]) == 2
    assert "error: a text needs --model: hf:NAME of a text classifier" in capsys.readouterr().err
    (tmp_path / "notes").mkdir()
    for name, found in {"a.txt": "1 text (a.txt)", "b.txt": "2 texts (such as a.txt)"}.items():
        (tmp_path / "notes" / name).write_text("no photo")
        assert main(["explain", str(tmp_path / "notes")]) == 2
        sentence = f"notes has no photo, only {found}, and a text needs --model: hf:NAME of a text classifier"
        assert sentence in capsys.readouterr().err
    with pytest.raises(ValueError, match="a bare module takes no text"):
        wl.explain(review, torch.nn.Identity().eval())
