"""Pairs of transformers of tiny sizes with random weights and a vocabulary of a few words, saved into a folder."""

from pathlib import Path

import torch
from torch import nn

WORDS = "a dog cat on the sofa sound of bark photo ##s ##ing . ,".split()
VOCABULARY = {piece: k for k, piece in enumerate(["<s>", "<pad>", "[UNK]", "<mask>", *WORDS, "</s>"])}
CONTEXT, LETTERS, SIDE, RATE = 16, 40, 32, 8000
TEXT = {
    "vocab_size": len(VOCABULARY), "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 2, "max_position_embeddings": CONTEXT, "pad_token_id": VOCABULARY["<pad>"],
    "bos_token_id": VOCABULARY["<s>"], "eos_token_id": VOCABULARY["</s>"],
}  # fmt: skip
PHOTO = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": SIDE,
    "patch_size": 8,
}  # fmt: skip
SOUND = {
    "spec_size": 64, "num_mel_bins": 16, "patch_size": 4, "patch_stride": [4, 4], "depths": [1, 1],
    "num_attention_heads": [2, 2], "patch_embeds_hidden_size": 8, "hidden_size": 16, "window_size": 4,
}  # fmt: skip


def tokenizer():
    """Pieces of `WORDS`, small letters, `<s> … </s>`."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.WordPiece(VOCABULARY, unk_token="[UNK]"))
    backend.normalizer, backend.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    ends = [(piece, VOCABULARY[piece]) for piece in ("<s>", "</s>")]
    backend.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=ends)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="[UNK]",
        mask_token="<mask>", model_max_length=CONTEXT, model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip


def clip():
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    config = CLIPConfig(text_config=TEXT, vision_config=PHOTO, projection_dim=8)
    return CLIPModel(config), CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=SIDE)


def siglip():
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel

    config = SiglipConfig(text_config=TEXT, vision_config=PHOTO)
    return SiglipModel(config), SiglipImageProcessor(size={"height": SIDE, "width": SIDE})


def letters():
    """SigLIP 2's tokenizer, which transformers takes whatever the folder says, with letters for pieces."""
    from transformers import Siglip2Tokenizer

    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *"abcdefghijklmnopqrstuvwxyz,."]
    return Siglip2Tokenizer(vocab={piece: k for k, piece in enumerate(pieces)}, merges=[], model_max_length=LETTERS)


def siglip2():
    from transformers import Siglip2Config, Siglip2ImageProcessor, Siglip2Model

    vision = {key: value for key, value in PHOTO.items() if key != "image_size"} | {"num_patches": 16}
    text = TEXT | {"vocab_size": 40, "max_position_embeddings": LETTERS, "pad_token_id": 0}
    config = Siglip2Config(text_config=text, vision_config=vision)
    return Siglip2Model(config), Siglip2ImageProcessor(patch_size=8, max_num_patches=16)


def blip():
    from transformers import BlipConfig, BlipForImageTextRetrieval, BlipImageProcessor

    config = BlipConfig(text_config=TEXT, vision_config=PHOTO, image_text_hidden_size=8)
    return BlipForImageTextRetrieval(config), BlipImageProcessor(size={"height": SIDE, "width": SIDE})


def clap(truncation="rand_trunc"):
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

    text = TEXT | {"max_position_embeddings": CONTEXT + TEXT["pad_token_id"] + 1, "type_vocab_size": 1}
    sound = SOUND | {"enable_fusion": truncation == "fusion"}
    extractor = ClapFeatureExtractor(
        feature_size=16, sampling_rate=RATE, hop_length=40, max_length_s=1, fft_window_size=128, frequency_max=4000,
        truncation=truncation,
    )  # fmt: skip
    return ClapModel(ClapConfig(text_config=text, audio_config=sound, projection_dim=8)), extractor


FAMILIES = {"clip": clip, "siglip": siglip, "siglip2": siglip2, "blip": blip, "clap": clap}


def saved(folder: Path, family: str, **options):
    """The folder with the pair in it, the pair itself, and what prepares its input."""
    torch.manual_seed(0)
    model, prepares = FAMILIES[family](**options)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    model.eval().save_pretrained(folder)
    prepares.save_pretrained(folder)
    (letters if family == "siglip2" else tokenizer)().save_pretrained(folder)
    return model, prepares
