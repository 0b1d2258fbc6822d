"""Models that write, tiny and random: how probable a text is, and where in a picture or a sound a word comes from."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import wavelens as wl
from text_models import byte_pairs, wordpiece
from wavelens.cli import main
from wavelens.explaining import kind_called, read_input
from wavelens.frontends import Clip, write_audio
from wavelens.models.recomputed import recompute_layers
from wavelens.models.sources.hf_writers import SpeechWriter
from wavelens.models.writers import Answered

pytestmark = pytest.mark.needs("transformers", "tokenizers")
SIDE, RATE = 16, 16000
TEXT = "the film was good"


def randomized(model):
    """Weights large enough for pixels to matter."""
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in model.parameters():
            if p.ndim > 1:
                p.copy_(torch.randn(p.shape, generator=source) / math.prod(p.shape[1:]) ** 0.5)
    return model.eval()


def pictures_of(side=SIDE):
    import transformers

    return transformers.CLIPImageProcessor(
        size={"height": side, "width": side}, do_center_crop=False, image_mean=[0.5] * 3, image_std=[0.25] * 3
    )


def blip(folder):
    import transformers

    tokens = wordpiece(64)
    text = {"vocab_size": len(tokens), "hidden_size": 16, "encoder_hidden_size": 16, "intermediate_size": 24,
            "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 64, "projection_dim": 8,
            "bos_token_id": 2, "sep_token_id": 3, "eos_token_id": 3, "pad_token_id": 0}  # fmt: skip
    vision = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
              "image_size": SIDE, "patch_size": 4}  # fmt: skip
    config = transformers.BlipConfig(text_config=text, vision_config=vision, projection_dim=8)
    randomized(transformers.BlipForConditionalGeneration(config)).save_pretrained(folder)
    tokens.save_pretrained(folder)
    pictures_of().save_pretrained(folder)
    return folder


def llava(folder):
    import transformers

    tokens = wordpiece(128)
    tokens.add_tokens(["<image>"], special_tokens=True)
    image = tokens.convert_tokens_to_ids("<image>")
    vision = transformers.CLIPVisionConfig(
        hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=SIDE, patch_size=8
    )
    text = transformers.LlamaConfig(
        vocab_size=len(tokens), hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=128, pad_token_id=0, bos_token_id=2, eos_token_id=3,
    )  # fmt: skip
    config = transformers.LlavaConfig(
        vision_config=vision, text_config=text, image_token_id=image, image_token_index=image
    )
    randomized(transformers.LlavaForConditionalGeneration(config)).save_pretrained(folder)
    tokens.save_pretrained(folder)
    pictures_of().save_pretrained(folder)
    return folder


def whisper(folder):
    import transformers

    tokens = byte_pairs(64, edges=True)
    config = transformers.WhisperConfig(
        vocab_size=len(tokens), d_model=16, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=24, decoder_ffn_dim=24, num_mel_bins=16, max_source_positions=50,
        max_target_positions=64, decoder_start_token_id=0, bos_token_id=0, eos_token_id=2, pad_token_id=1,
        suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    randomized(transformers.WhisperForConditionalGeneration(config)).save_pretrained(folder)
    tokens.save_pretrained(folder)
    transformers.WhisperFeatureExtractor(feature_size=16, chunk_length=1, sampling_rate=RATE).save_pretrained(folder)
    return folder


MODELS = {"blip": blip, "llava": llava, "whisper": whisper}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = {}

    def folder(name):
        if name not in made:
            made[name] = MODELS[name](tmp_path_factory.mktemp(name))
        return made[name]

    return folder


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)).save("photo.png")
    write_audio("clip.wav", Clip(torch.from_numpy(random.normal(0, 0.1, (1, 1, RATE // 2))).float(), RATE))
    return {"blip": "photo.png", "llava": "photo.png", "whisper": "clip.wav"}


def own_logits(name, folder, file, text):
    """The log-probabilities of a text by transformers alone, with its own preparation."""
    import transformers

    tokens = transformers.AutoTokenizer.from_pretrained(folder)
    if name == "whisper":
        import soundfile

        samples, _ = soundfile.read(file, dtype="float32")
        features = transformers.AutoFeatureExtractor.from_pretrained(folder)(
            samples, sampling_rate=RATE, return_tensors="pt"
        ).input_features
        model = transformers.WhisperForConditionalGeneration.from_pretrained(folder).eval()
        ids = tokens(f" {text}", add_special_tokens=False)["input_ids"]
        start, inputs = [0], {"input_features": features}
        key = "decoder_input_ids"
    else:
        pixels = transformers.AutoImageProcessor.from_pretrained(folder)(Image.open(file), return_tensors="pt")
        model = transformers.AutoModelForImageTextToText.from_pretrained(folder).eval()
        ids = tokens(text, add_special_tokens=False)["input_ids"]
        image = tokens.convert_tokens_to_ids("<image>") if name == "llava" else 0
        start = [2, *[image] * 4, 3] if name == "llava" else [2]
        inputs, key = {"pixel_values": pixels["pixel_values"]}, "input_ids"
    with torch.no_grad():
        logits = model(**inputs, **{key: torch.tensor([[*start, *ids]])}).logits[0, len(start) - 1 : -1]
    return logits.log_softmax(-1)[range(len(ids)), ids]


@pytest.mark.parametrize("name", MODELS)
def test_a_text_is_as_probable_as_transformers_has_it(folders, inputs, name):
    folder = folders(name)
    loaded = wl.models.load(f"hf:{folder}")
    answered = Answered(loaded.module, TEXT)
    kind = kind_called(loaded.preprocess.kind)
    x = read_input(loaded, kind, Path(inputs[name]), torch.device("cpu")).x
    with torch.no_grad():
        found = answered(x)[0]
    expected = own_logits(name, folder, inputs[name], TEXT)
    assert float(found[0]) == pytest.approx(float(expected.sum()), abs=1e-3)
    assert float(found[1:].sum()) == pytest.approx(float(found[0]), abs=1e-4)
    assert answered.labels == (TEXT, *TEXT.split())


@pytest.mark.parametrize("name", MODELS)
def test_an_answer_and_each_of_its_words_have_an_account(folders, inputs, name):
    options = {"method": wl.IntegratedGradients(steps=4), "interventions": False}
    whole = wl.explain(inputs[name], f"hf:{folders(name)}", target=f"answer:{TEXT}", **options)
    words = [
        wl.explain(inputs[name], f"hf:{folders(name)}", target="answer:" + TEXT.replace(word, f"[{word}]"), **options)
        for word in TEXT.split()
    ]
    assert [one.target.label for one in words] == TEXT.split()
    together = torch.stack([one.attribution.data for one in words]).sum(0)
    assert torch.allclose(together, whole.attribution.data, atol=1e-4 * float(whole.attribution.data.abs().max()))
    assert whole.answer[0]["probability"] == pytest.approx(math.exp(whole.answer[0]["logit"]))


def test_a_question_stands_in_front_of_the_answer(folders, inputs):
    asked = [
        wl.models.load(f"hf:{folders('llava')}", question=question).module.start.tolist()
        for question in (None, "was it good", "was it <image> good")
    ]
    image = asked[0][1]
    assert asked[0] == [2, *[image] * 4, 3]
    assert asked[1][:6] == [2, *[image] * 4, asked[1][5]]
    assert asked[2].index(image) == 3
    assert asked[2].count(image) == 4


def test_the_command_says_which_word_of_a_sound_is_meant(folders, inputs, monkeypatch, capsys):
    model = f"hf:{folders('whisper')}"
    monkeypatch.setattr(SpeechWriter, "write", lambda self, x: "the film, was good")
    words = ["--method", "IntegratedGradients(steps=2)", "--no-interventions", "--device", "cpu", "--report"]
    assert main(["explain", "clip.wav", "--model", model, "--target", "word:Film", *words]) == 0
    assert "film,, log-probability" in capsys.readouterr().out
    summary = json.loads(Path("wavelens-out/clip.json").read_text())
    assert summary["units"] == ["Hz"]
    assert summary["target"]["label"] == "film,"
    assert "--target word:Film" in Path("wavelens-out/report.html").read_text(encoding="utf-8")
    assert main(["explain", "clip.wav", "--model", model, "--target", "word:bus", *words]) == 2
    assert "is a word of the text 'the film, was good', which has no such word" in capsys.readouterr().err


def test_a_model_writes_what_is_most_probable(folders, inputs):
    loaded = wl.models.load(f"hf:{folders('blip')}")
    writer, x = loaded.module, torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    text = writer.write(x)
    first = writer.decode([int(writer(x)[0].argmax())])
    assert text.startswith(first)
    assert loaded.labels[2] == "[CLS]"
    assert len(loaded.labels) == writer(x).shape[1]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("answer:", "a text is written 'answer:a red bus'"),
        ("answer:a [red bus]", "got 'answer:a \\[red bus\\]'"),
    ],
)
def test_what_is_no_text_is_told(folders, inputs, target, said):
    with pytest.raises(ValueError, match=said):
        wl.explain("photo.png", f"hf:{folders('blip')}", target=target)


def test_layers_are_recomputed_and_change_nothing():
    layer = torch.nn.Sequential(torch.nn.Linear(32, 128), torch.nn.GELU(), torch.nn.Linear(128, 32), torch.nn.Tanh())
    net = torch.nn.ModuleList([layer, *(type(layer)(*[type(m)(m.in_features, m.out_features)
          if isinstance(m, torch.nn.Linear) else m for m in layer]) for _ in range(5))])  # fmt: skip

    class Deep(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = net

        def forward(self, x):
            for one in self.layers:
                x = one(x)
            return x.sum()

    def kept():
        stored = {}

        def pack(t):
            stored[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
            return t

        x = torch.ones(64, 32, requires_grad=True)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            deep(x)
        weights = {p.untyped_storage().data_ptr() for p in deep.parameters()}
        (g,) = torch.autograd.grad(deep(x), x)
        return sum(size for place, size in stored.items() if place not in weights), g

    deep = Deep().eval()
    before, g = kept()
    names = list(deep.state_dict())
    assert recompute_layers(deep) == 6
    after, again = kept()
    assert after < before / 4
    assert torch.equal(g, again)
    assert list(deep.state_dict()) == names
