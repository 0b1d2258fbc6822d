"""Tiny text classifiers of transformers with random weights, and tokenizers over a few words, saved as folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

WORDS = "a the film was dull but superb never it is not at all good bad story , . ! we they said".split()
PIECES = "un ##kind ##ly ##ness kind".split()
LABELS = ("negative", "positive")
REVIEW = "The film was dull, they said. It was not! The story is superb, unkindly superb.\n\nWe never said bad."
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}


def wordpiece(longest: int) -> Any:
    """As BERT has it: words and pieces, [CLS] in front and [SEP] behind."""
    import tokenizers
    import transformers
    from tokenizers import normalizers, pre_tokenizers, processors

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: k for k, word in enumerate([*special, *WORDS, *PIECES])}
    made = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    edges = [("[CLS]", 2), ("[SEP]", 3)]
    made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=edges)
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, mask_token="[MASK]", model_max_length=longest, **names
    )


def byte_pairs(longest: int, edges: bool) -> Any:
    """As RoBERTa and GPT-2 have it: bytes and a few pairs of them; with `edges` <s> in front and </s> behind."""
    import tokenizers
    import transformers
    from tokenizers import decoders, pre_tokenizers, processors

    names = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"] if edges else ["<|endoftext|>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("f", "i"), ("l", "m"), ("fi", "lm"), ("Ġ", "w"), ("a", "s"), ("Ġw", "as")]
    tokens = [*names, *letters, *(a + b for a, b in merges)]
    made = tokenizers.Tokenizer(tokenizers.models.BPE({token: k for k, token in enumerate(tokens)}, merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    if not edges:
        return transformers.PreTrainedTokenizerFast(
            tokenizer_object=made, eos_token="<|endoftext|>", model_max_length=longest
        )
    pair = [("<s>", 0), ("</s>", 2)]
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=pair)
    named = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, mask_token="<mask>", model_max_length=longest, **named
    )


def config(family: str, size: int, longest: int) -> Any:
    import transformers

    if family == "distilbert":
        return transformers.DistilBertConfig(
            vocab_size=size, dim=16, n_layers=2, n_heads=2, hidden_dim=24, max_position_embeddings=longest
        )
    if family == "gpt2":
        return transformers.GPT2Config(
            vocab_size=size, n_embd=16, n_layer=2, n_head=2, n_positions=longest, eos_token_id=0, bos_token_id=0
        )
    if family == "roberta":  # positions begin behind that of padding, which is 1
        return transformers.RobertaConfig(vocab_size=size, max_position_embeddings=longest + 2, **SIZES)
    return transformers.BertConfig(vocab_size=size, max_position_embeddings=longest, **SIZES)


def saved(folder: Path, family: str = "bert", longest: int = 64) -> Path:
    """A folder with a random classifier of a family and its tokenizer; weights large enough for words to matter."""
    import transformers

    made = wordpiece(longest) if family in ("bert", "distilbert") else byte_pairs(longest, family == "roberta")
    settings = config(family, len(made), longest)
    settings.id2label, settings.label2id = dict(enumerate(LABELS)), {name: k for k, name in enumerate(LABELS)}
    model = transformers.AutoModelForSequenceClassification.from_config(settings).eval()
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in model.parameters():
            if p.ndim == 2:
                p.copy_(torch.randn(p.shape, generator=source) / p.shape[1] ** 0.5)
    model.save_pretrained(folder)
    made.save_pretrained(folder)
    return folder
