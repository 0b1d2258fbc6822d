"""Pairs of a signal and a text: transformers' own numbers, embeddings in place of ids, prompts as classes."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import tiny_pairs
import wavelens as wl
from wavelens import runs
from wavelens.cli import main
from wavelens.models import Pair, TwoTowers, load, load_pair, prompted
from wavelens.models.preparations.flexible import Patches
from wavelens.models.sources.hf_pairs import ClapInput

TEXTS = ["a dog on the sofa", "cats.", "the sound of a barking dog, a cat"]
PHOTOS = ["clip", "siglip", pytest.param("siglip2", marks=pytest.mark.needs("transformers:Siglip2Model")), "blip"]
pytestmark = pytest.mark.needs("transformers")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (tiny_pairs.SIDE, tiny_pairs.SIDE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("photo.png")
    return tmp_path


def original(model, prepares, family, texts):
    """Transformers' logits of the photo for the texts."""
    tokenizer = tiny_pairs.letters() if family == "siglip2" else tiny_pairs.tokenizer()
    longest = {"padding": "max_length", "max_length": tokenizer.model_max_length}
    tokens = tokenizer(texts, return_tensors="pt", **(longest if "siglip" in family else {"padding": True}))
    words = {"input_ids": tokens["input_ids"], "attention_mask": tokens["attention_mask"]}
    pixels = prepares(images=Image.open("photo.png"), return_tensors="pt")
    with torch.no_grad():
        if family != "blip":
            return model(**words, **pixels).logits_per_image[0]
        rows = pixels["pixel_values"].expand(len(texts), -1, -1, -1)
        return model(**words, pixel_values=rows).itm_score.diff(dim=1)[:, 0]


@pytest.mark.parametrize("family", PHOTOS)
def test_scores_are_transformers_own_and_words_lie_at_their_tokens(folder, family):
    model, prepares = tiny_pairs.saved(folder / "pair", family)
    expected = original(model, prepares, family, TEXTS)
    loaded = load("hf:pair", prompts=TEXTS)
    x = loaded.preprocess(wl.frontends.read_image("photo.png"))
    with torch.no_grad():
        torch.testing.assert_close(loaded.module(x)[0], expected, rtol=0, atol=2e-5)
    assert expected.std() > 4e-4  # the texts differ
    assert loaded.labels == tuple(TEXTS)
    assert loaded.link == ("softmax" if family == "clip" else "sigmoid")
    pair = loaded.module.pair
    tokens = pair.tokenize(TEXTS)
    assert [word.text for word in tokens.words[2]] == TEXTS[2].split()
    rows = zip(tokens.ids.tolist(), tokens.words, strict=True)
    pieces = [[pair.tokenizer.convert_ids_to_tokens(ids[w.start : w.stop]) for w in words] for ids, words in rows]
    if family == "siglip2":
        assert [["".join(word).replace("▁", "") for word in words] for words in pieces] == [t.split() for t in TEXTS]
    else:
        assert pieces[1] == [["cat", "##s", "."]]
        assert pieces[2][-3:] == [["dog", ","], ["a"], ["cat"]]
    assert torch.equal(pair.neutral, pair.embedding.weight[pair.tokenizer.mask_token_id])


@pytest.mark.parametrize("family", [*PHOTOS, "clap"])
def test_embeddings_stand_in_for_ids(folder, family):
    """A text whose word gets the embedding of another word is that other text, and an item alone is it in a batch."""
    tiny_pairs.saved(folder / "pair", family)
    pair = load_pair("hf:pair").double()
    x = torch.rand(2, *pair.preprocess.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    dog, cat = (pair.tokenize([f"a {name} on the sofa", "a photo"]) for name in ("dog", "cat"))
    swapped = pair.embed_tokens(dog.ids).clone()
    places = dog.ids[0] != cat.ids[0]
    swapped[0, :, places] = pair.embed_tokens(cat.ids)[0, :, places]
    close = {"rtol": 0, "atol": 1e-9}
    with torch.no_grad():
        before = swapped.clone()
        expected = pair.score(x, pair.embed_tokens(cat.ids), cat.mask)
        torch.testing.assert_close(pair.score(x, swapped, dog.mask), expected, **close)
        assert torch.equal(swapped, before)  # BLIP's tower adds positions in place
        assert (pair.score(x, pair.embed_tokens(dog.ids), dog.mask) - expected)[0].abs() > 1e-6
        alone = pair.score(x[1:], pair.embed_tokens(cat.ids)[1:], cat.mask[1:])
        torch.testing.assert_close(alone, expected[1:], **close)
        one_text = pair.score(x, pair.embed_tokens(cat.ids)[:1], cat.mask[:1])
        torch.testing.assert_close(one_text[0], expected[0], **close)
        every = pair.scores(pair.read(x), pair.embed_tokens(cat.ids), cat.mask)
        torch.testing.assert_close(every.diagonal(), expected, **close)
    words = pair.embed_tokens(dog.ids).detach().requires_grad_()
    (g,) = torch.autograd.grad(pair.score(x, words, dog.mask)[0], words)
    assert g[0, :, places].abs().sum() > 0
    assert g[1].abs().sum() == 0


def test_a_prompt_is_explained_against_another(folder, capsys):
    model, prepares = tiny_pairs.saved(folder / "pair", "clip")
    logits = original(model, prepares, "clip", TEXTS[:2])
    options = ["--target", f"text:{TEXTS[0]}", "--against", f"text:{TEXTS[1]}", "--report"]
    steps = ["--method", "IntegratedGradients(steps=8)", "--domain", "DWT('haar', levels=2)"]
    assert main(["explain", "photo.png", "--model", "hf:pair", *options, *steps]) == 0
    summary = json.loads((folder / "wavelens-out" / "photo.json").read_text())
    assert summary["score"] == pytest.approx(float(logits[0] - logits[1]), rel=1e-3, abs=1e-3)
    assert summary["target"]["label"] == TEXTS[0]
    assert summary["against"]["label"] == TEXTS[1]
    assert [row["label"] for row in summary["top"]] == [TEXTS[k] for k in logits.argsort(descending=True).tolist()]
    attribution = wl.Attribution.load(folder / "wavelens-out" / "photo.safetensors")
    rise = attribution.score - attribution.baseline_score
    assert (attribution.data.sum() + attribution.gap).item() == pytest.approx(rise.item(), abs=1e-3)
    page = (folder / "wavelens-out" / "report.html").read_text()
    assert "--target &#x27;text:a dog on the sofa&#x27; --against text:cats." in page
    assert "rather than" in capsys.readouterr().out


def test_in_python_a_pair_is_asked_directly_and_a_lone_text_has_no_probability(folder):
    tiny_pairs.saved(folder / "pair", "clip")
    pair = load_pair("hf:pair")
    method = wl.IntegratedGradients(steps=2)
    one = wl.explain("photo.png", pair, target=f"text:{TEXTS[0]}", method=method)
    named = wl.explain("photo.png", "hf:pair", target=f"text:{TEXTS[0]}", method=method)
    torch.testing.assert_close(one.attribution.data, named.attribution.data)
    assert one.answer == [{"index": 0, "label": TEXTS[0], "probability": None, "logit": one.attribution.score.item()}]
    page = wl.report(one.entry(), "one.html").read_text()
    page = re.sub(r"data:[^\"')]*", "", page)  # the bytes of a picture may spell anything
    assert not re.search(r"\bnan\b", page, re.IGNORECASE)
    more = wl.explain("photo.png", prompted(pair, ["a cat"]), target="text:a dog", method=method)
    assert more.request.loaded.labels == ("a cat", "a dog")
    with pytest.raises(ValueError, match=r"ClipPair scores a signal and a text; give it a text: target='text:"):
        wl.explain("photo.png", pair)
    with pytest.raises(ValueError, match="a prompt needs a Pair; got a Flatten"):
        wl.explain("photo.png", torch.nn.Flatten(), target="text:a dog")


def test_names_in_a_template_are_classes_and_keep_their_names(folder):
    model, prepares = tiny_pairs.saved(folder / "pair", "siglip")
    (folder / "names.txt").write_text("dog\ncat\n")
    options = ["--labels", "names.txt", "--template", "a photo of a {}.", "--target", "cat", "--top", "2"]
    steps = ["--method", "Saliency()"]
    assert main(["explain", "photo.png", "--model", "hf:pair", *options, *steps]) == 0
    summary = json.loads((folder / "wavelens-out" / "photo.json").read_text())
    expected = original(model, prepares, "siglip", [f"a photo of a {name}." for name in ("dog", "cat")])
    found = {row["label"]: row["logit"] for row in summary["top"]}
    assert found == {
        "dog": pytest.approx(expected[0].item(), abs=1e-3),
        "cat": pytest.approx(expected[1].item(), abs=1e-3),
    }
    assert summary["score"] == pytest.approx(expected[1].item(), abs=1e-3)
    assert main(["check", "photo.png", "--model", "hf:pair", "--class-names", "names.txt", *steps]) in (0, 1)


def test_retrieval_ranks_texts_and_files(folder, capsys):
    model, prepares = tiny_pairs.saved(folder / "pair", "clip")
    pixels = np.full((tiny_pairs.SIDE, tiny_pairs.SIDE, 3), 200, dtype=np.uint8)
    Image.fromarray(pixels).save("grey.png")
    (folder / "captions.txt").write_text("\n".join(TEXTS))
    assert (
        main(["retrieve", "photo.png", "grey.png", "--model", "hf:pair", "--labels", "captions.txt", "--top", "1"]) == 0
    )
    rows = [line.split(",", 1) for line in (folder / "wavelens-out" / "retrieval.csv").read_text().splitlines()]
    scores = torch.tensor([float(value) for value in rows[1][1].split(",")])
    torch.testing.assert_close(scores, original(model, prepares, "clip", TEXTS), rtol=1e-3, atol=1e-3)
    printed = capsys.readouterr().out
    assert f"photo.png │ {TEXTS[int(scores.argmax())]}" in printed
    (command,) = (line for line in printed.splitlines() if line.startswith("explain the best pair: "))
    assert "--class-names captions.txt --target" in command
    assert main(["retrieve", "photo.png", "--model", "hf:pair", "--text", "a dog"]) == 0
    assert "--target 'text:a dog'" in capsys.readouterr().out


@pytest.mark.parametrize("truncation", ["rand_trunc", "fusion"])
@pytest.mark.parametrize("padding", ["repeatpad", "repeat", "pad"])
@pytest.mark.parametrize("samples", [48000, 20001])
def test_claps_input_is_that_of_its_extractor(truncation, padding, samples):
    from transformers import ClapFeatureExtractor

    extractor = ClapFeatureExtractor(max_length_s=1, truncation=truncation, padding=padding)
    x = torch.randn(1, 1, samples, generator=torch.Generator().manual_seed(0), dtype=torch.float64) / 10
    expected = extractor(x[0, 0].numpy(), sampling_rate=48000, return_tensors="pt")["input_features"]
    found = ClapInput(extractor).double()(x)
    assert found.shape == expected.shape
    torch.testing.assert_close(
        found, expected.double(), rtol=0, atol=0.02
    )  # decibels; the extractor's bands are float64


@pytest.mark.parametrize("truncation", ["rand_trunc", "fusion"])
def test_a_sound_is_explained_by_a_prompt(folder, truncation):
    model, extractor = tiny_pairs.saved(folder / "clap", "clap", truncation=truncation)
    wave = torch.sin(torch.arange(4000) / 3)[None, None]
    wl.frontends.write_audio("clip.wav", wave, rate=tiny_pairs.RATE)
    text = "the sound of a dog"
    one = wl.explain(
        "clip.wav",
        "hf:clap",
        target=f"text:{text}",
        method=wl.IntegratedGradients(steps=2),
        domain=wl.DWT("db2", levels=2),
    )
    words = tiny_pairs.tokenizer()([text], return_tensors="pt")
    sound = extractor(wave[0, 0].numpy(), sampling_rate=tiny_pairs.RATE, return_tensors="pt")
    with torch.no_grad():
        expected = model(
            input_ids=words["input_ids"], attention_mask=words["attention_mask"],
            input_features=sound["input_features"].float(), is_longer=sound["is_longer"],
        ).logits_per_audio.item()  # fmt: skip
    assert one.attribution.score.item() == pytest.approx(expected, abs=2e-3)
    assert [row["extent"] for row in one.profile] == ["< 1000 Hz", "1000–2000 Hz", "2000–4000 Hz"]


def test_photos_of_any_proportions_get_the_size_that_transformers_gives_them():
    sizes = pytest.importorskip("transformers.models.siglip2.image_processing_siglip2")
    for height, width, patch, patches in (
        (480, 640, 16, 256),
        (33, 1000, 8, 16),
        (640, 427, 16, 1024),
        (32, 32, 8, 16),
    ):
        expected = sizes.get_image_size_for_max_num_patches(height, width, patch, patches)
        assert Patches(patch, patches).size(height, width) == tuple(expected)


class Brightness(TwoTowers):
    """Photos and texts in two dimensions: light and dark."""

    def __init__(self):
        super().__init__(wl.models.Geometry((8, 8), (8, 8), squash=True), context=4)
        self.table = torch.nn.Embedding.from_pretrained(torch.tensor([[0.0, 0.0], [1.0, 0.2], [0.2, 1.0]]))

    @property
    def neutral(self):
        return self.table.weight[0]

    def encode(self, texts):
        ids = [[{"light": 1, "dark": 2}.get(word, 0) for word in text.split()] for text in texts]
        length = max(map(len, ids))
        mask = torch.tensor([[k < len(row) for k in range(length)] for row in ids])
        words = [tuple(wl.models.Word(w, k, k + 1) for k, w in enumerate(text.split())) for text in texts]
        return wl.models.Tokens(torch.tensor([row + [0] * (length - len(row)) for row in ids]), mask, tuple(words))

    def embed_tokens(self, ids):
        return self.table(ids).transpose(1, 2)

    def embed_signal(self, x):
        mean = x.mean((1, 2, 3))
        return torch.nn.functional.normalize(torch.stack([mean, 1 - mean], 1), dim=1)

    def embed_text(self, embeddings, mask):
        return torch.nn.functional.normalize((embeddings * mask[:, None]).sum(2) + 1e-6, dim=1)


def test_wrong_input_gets_one_line(folder, capsys, monkeypatch):
    tiny_pairs.saved(folder / "clip", "clip")
    tiny_pairs.saved(folder / "clap", "clap")
    (folder / "names.txt").write_text("dog\ncat\n")
    (folder / "twice.txt").write_text("dog\ndog\n")
    (folder / "own.py").write_text("from test_pairs import Brightness\n\ndef net():\n    return Brightness()\n")
    monkeypatch.syspath_prepend(folder)

    capsys.readouterr()

    def complaint(*arguments, command="explain"):
        assert main([command, "photo.png", *arguments]) == 2
        lines = capsys.readouterr().err.splitlines()
        (line,) = (line for line in lines if "Loading weights" not in line and line)  # bars of transformers
        return line

    clip, dog = ["--model", "hf:clip"], ["--target", "text:a dog"]
    assert "a prompt must have at least one word; got 'text:'" in complaint(*clip, "--target", "text: ")
    long = complaint(*clip, "--target", f"text:{'dog ' * 20}")
    assert (
        "a prompt has up to 16 tokens, special ones included; 'dog dog dog dog dog dog dog dog dog dog …' has 22."
        in long
    )
    assert "hf:clip scores a signal and a text together; give it a text: --target" in complaint(*clip)
    assert "photo.png is a photo; hf:clap takes sounds." in complaint("--model", "hf:clap", *dog)
    assert "is not a detector. Leave out #2, or" in complaint("--model", "efficientnet-lite0", "--target", "tabby#2")
    short = complaint("--model", "efficientnet-lite0", "--labels", "names.txt", "--target", "dog")
    assert "efficientnet-lite0 has 1000 outputs and 2 class names." in short
    assert "texts are scored by a pair: hf:NAME, open_clip:NAME or" in complaint("--model", "efficientnet-lite0", *dog)
    assert "name the same class, 0 (a dog)" in complaint(*clip, *dog, "--against", "text:a dog")
    assert "template must have {} once" in complaint(*clip, "--labels", "names.txt", "--template", "a photo")
    assert "template is for the names of classes" in complaint(*clip, *dog, "--template", "a {}")
    assert "'dog' comes twice" in complaint(*clip, "--labels", "twice.txt")
    assert "no such class names: none.txt" in complaint(*clip, "--labels", "none.txt")
    assert "std is for classifiers" in complaint(*clip, *dog, "--std", "0.5")
    assert "give it a text" in complaint("--model", "own:net")
    assert "open_clip:RN50 scores a signal and a text together" in complaint("--model", "open_clip:RN50")
    text = ["--text", "a dog"]
    assert "a pair: hf:NAME" in complaint("--model", "efficientnet-lite0", *text, command="retrieve")
    assert "weights are for a pair by its name" in complaint("--model", "own:net", "--weights", "x.pth", *dog)


def test_a_pair_of_ones_own_is_named_by_its_function(folder, monkeypatch):
    (folder / "own.py").write_text("from test_pairs import Brightness\n\ndef net():\n    return Brightness()\n")
    monkeypatch.syspath_prepend(folder)
    options = ["--target", "text:light", "--against", "text:dark", "--domain", "DWT('haar', levels=2)"]
    assert main(["explain", "photo.png", "--model", "own:net", *options]) == 0
    summary = json.loads((folder / "wavelens-out" / "photo.json").read_text())
    x = Brightness().preprocess(wl.frontends.read_image("photo.png"))
    light, dark = torch.nn.functional.normalize(torch.tensor([[1.0, 0.2], [0.2, 1.0]]), dim=1)
    assert summary["score"] == pytest.approx((Brightness().embed_signal(x)[0] @ (light - dark)).item(), abs=1e-4)
    assert isinstance(Brightness(), Pair)


def test_files_of_a_folder_are_evaluated_for_a_text_alone_and_against_another(folder, capsys, monkeypatch):
    (folder / "own.py").write_text("from test_pairs import Brightness\n\ndef net():\n    return Brightness()\n")
    monkeypatch.syspath_prepend(folder)
    (folder / "photos").mkdir()
    for k in (40, 200):
        Image.new("RGB", (32, 32), (k, k, k // 2)).save(folder / "photos" / f"{k}.png")
    options = ["photos", "--model", "own:net", "--domain", "DWT('haar', levels=2)", "--metric", "Curves(steps=2)"]
    options += ["--method", "IntegratedGradients(steps=2)"]
    light, dark = torch.nn.functional.normalize(torch.tensor([[1.0, 0.2], [0.2, 1.0]]), dim=1)
    one, both = ["--target", "text:light"], ["--target", "text:light", "--against", "text:dark"]
    for name, texts, direction in (("one", one, light), ("both", both, light - dark)):
        assert main(["evaluate", *options, *texts, "--out", name]) == 0, capsys.readouterr().err
        values = runs.Run.open(name).read().values
        x = torch.cat([Brightness().preprocess(wl.frontends.read_image(f"photos/{k}.png")) for k in (200, 40)])
        assert torch.allclose(values["score"], Brightness().embed_signal(x) @ direction, atol=1e-4)
        assert values["insertion(steps=2)"].isfinite().all()
    assert runs.Run.open("both").manifest.task["target"] == "text:light against text:dark"
    capsys.readouterr()
    assert main(["compare", "both", "one"]) == 0
    assert "text:light against text:dark" in capsys.readouterr().out
    assert main(["evaluate", *options, "--target", "text:light", "--labels", "folders", "--out", "x"]) == 2
    assert "got text:light and folders" in capsys.readouterr().err
    assert main(["evaluate", *options, "--target", "text:light", "--against", "text:light", "--out", "x"]) == 2
    assert "name the same class, 0 (light)" in capsys.readouterr().err


def test_a_name_without_a_network_gets_one_line(folder, monkeypatch):
    import transformers

    def unreachable(*_, **__):
        raise OSError("cannot reach the hub")

    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", unreachable)
    with pytest.raises(
        OSError, match=r"^hf:openai/clip could not be fetched: cannot reach the hub Check the name and the"
    ):
        load("hf:openai/clip", prompts=["a dog"])


def test_an_app_explains_a_prompt_that_is_typed(folder):
    from wavelens.app import Limits
    from wavelens.app.choices import Wish, request_of
    from wavelens.explaining import kind_called

    loaded, kind = prompted(Brightness().eval(), ["light"]), kind_called("photo")
    wish = Wish(prompt=" dark ", method="saliency")
    request = request_of(wish, loaded, kind, Limits(), torch.device("cpu"))
    assert (request.loaded.labels, request.question.target) == (("light", "dark"), 1)
    assert request_of(replace(wish, prompt=""), loaded, kind, Limits(), torch.device("cpu")).loaded is loaded
    against = request_of(replace(wish, against_prompt="dim"), loaded, kind, Limits(), torch.device("cpu"))
    assert against.loaded.labels == ("light", "dark", "dim")
    assert (against.question.target, against.question.against) == (1, 2)
    chosen = replace(wish, target=0, prompt="", against_prompt="dim")
    chosen = request_of(chosen, loaded, kind, Limits(), torch.device("cpu"))
    assert (chosen.question.target, chosen.question.against) == (0, 1)
    with pytest.raises(ValueError, match="a class must be set against another one; got dark twice"):
        request_of(replace(wish, against_prompt="dark"), loaded, kind, Limits(), torch.device("cpu"))
    for field in ("prompt", "against_prompt"):
        with pytest.raises(ValueError, match="up to 1000 characters here; got 1001"):
            request_of(replace(wish, **{field: "x" * 1001}), loaded, kind, Limits(), torch.device("cpu"))


@pytest.mark.needs("open_clip")
@pytest.mark.parametrize("bias", [None, -1.0])
def test_a_model_of_open_clip_gives_its_own_scores(folder, bias):
    import open_clip

    sizes = {"width": 16, "layers": 2, "heads": 2}
    config = {
        "embed_dim": 8,
        "vision_cfg": {"image_size": tiny_pairs.SIDE, "patch_size": 8, "width": 16, "layers": 2, "head_width": 8},
        "text_cfg": {"context_length": 12, "vocab_size": 49408, **sizes},
        "init_logit_bias": bias,
    }
    name = f"tiny-{bias}"
    (folder / f"{name}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder / f"{name}.json")
    torch.manual_seed(0)
    model = open_clip.create_model(name).eval()
    torch.save(model.state_dict(), "tiny.pt")
    loaded = load(f"open_clip:{name}", weights="tiny.pt", prompts=TEXTS)
    x = loaded.preprocess(wl.frontends.read_image("photo.png"))
    transform = open_clip.image_transform(tiny_pairs.SIDE, is_train=False)
    with torch.no_grad():
        expected, _ = model.get_logits(transform(Image.open("photo.png"))[None], open_clip.get_tokenizer(name)(TEXTS))
        torch.testing.assert_close(loaded.module(x), expected, rtol=1e-4, atol=1e-4)
    assert loaded.link == ("softmax" if bias is None else "sigmoid")
    tokens = loaded.module.pair.tokenize(["a photograph, of dogs"])
    assert [(word.text, word.stop - word.start) for word in tokens.words[0]] == [
        ("a", 1), ("photograph,", 2), ("of", 1), ("dogs", 1),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="up to 12 tokens, special ones included; 'dog dog"):
        loaded.module.pair.tokenize(["dog " * 20])
    with pytest.raises(ValueError, match=r"open_clip has no weights for tiny-.*--weights FILE"):
        load(f"open_clip:{name}", prompts=TEXTS)
    with pytest.raises(ValueError, match=r"open_clip has no model 'RN51'"):
        load("open_clip:RN51", prompts=TEXTS)


def test_a_table_of_retrieval_is_safe_to_open_in_a_spreadsheet(tmp_path):
    from wavelens.explaining.retrieval import Retrieval

    path = Retrieval((Path("=1.png"),), ("=cmd|' /C calc'!A0",), torch.ones(1, 1)).write(tmp_path / "retrieval.csv")
    assert path.read_text(encoding="utf-8").splitlines() == ["file,'=cmd|' /C calc'!A0", "'=1.png,1.0"]
