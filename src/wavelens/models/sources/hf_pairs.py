"""Pairs of transformers, by name on its hub or from a folder: CLIP, SigLIP, SigLIP 2, BLIP's matching, CLAP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from wavelens.frontends.mel import LogMel
from wavelens.models.loaded import Preparation, Variant
from wavelens.models.pairs import Pair, Tokens, TwoTowers
from wavelens.models.preparations.audio import Sampling, Windowed
from wavelens.models.preparations.flexible import Patches
from wavelens.models.preparations.image import Normalized
from wavelens.models.sources.hf import (
    check_known,
    config_of,
    fetch_failure,
    geometry_of_processor,
    scaling_of_processor,
)
from wavelens.models.text_tokens import givable, given, moved, skeleton, special_id, words_of
from wavelens.models.weights import Around
from wavelens.optional import optional


class TransformersText(Pair):
    """The text side of transformers' pairs: a tokenizer, and a tower that takes embeddings.

    With `padded` a text is followed by padding up to `context`, which the tower reads as it was trained to.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        preprocess: Preparation,
        *,
        padded: bool = False,
        link: str = "softmax",
        **scaling: float,
    ) -> None:
        text, longest = model.config.text_config, tokenizer.model_max_length
        # RoBERTa's positions begin behind that of the padding
        positions = text.max_position_embeddings - (text.pad_token_id + 1 if model.config.model_type == "clap" else 0)
        super().__init__(preprocess, context=min(positions, longest), link=link, **scaling)
        if not padded:  # what is padded may lie anywhere for towers that read it
            tokenizer.padding_side = "right"
        self.tokenizer, self.padded = tokenizer, padded
        self.tower = self.text_tower(model)
        rows = self.tower.embeddings
        self.embedding = givable(self.tower, getattr(rows, "token_embedding", None) or rows.word_embeddings)

    @staticmethod
    def text_tower(model: Any) -> Any:
        return model.text_model

    @property
    def neutral(self) -> Tensor:
        return self.embedding.weight[special_id(self.tokenizer, "mask", "pad", "eos")]

    def encode(self, texts: Sequence[str]) -> Tokens:
        rows = self.tokenizer(list(texts), padding=False, truncation=False)["input_ids"]
        for text, row in zip(texts, rows, strict=True):
            self.check_length(text, len(row))
        how: dict[str, Any] = (
            {"padding": "max_length", "max_length": self.context} if self.padded else {"padding": True}
        )
        batch = self.tokenizer(list(texts), return_tensors="pt", **how)
        device = self.embedding.weight.device
        ids = batch["input_ids"].to(device)
        mask = batch.get("attention_mask", torch.ones_like(ids)).to(device).bool()
        left = self.tokenizer.padding_side == "left"
        before = [ids.shape[1] - len(row) if left else 0 for row in rows]
        words = (moved(words_of(self.tokenizer, text), by) for text, by in zip(texts, before, strict=True))
        return Tokens(ids, mask, tuple(words))

    def embed_tokens(self, ids: Tensor) -> Tensor:
        values: Tensor = self.embedding(ids)
        return values.transpose(1, 2)

    def run_text(self, embeddings: Tensor, mask: Tensor, **more: Any) -> Any:
        """What the text tower returns for embeddings `(n, width, length)`."""
        pad, end = special_id(self.tokenizer, "pad", "eos"), special_id(self.tokenizer, "eos", "sep")
        ids = skeleton(mask, pad=pad, end=end)
        with given(embeddings.transpose(1, 2)):
            return self.tower(input_ids=ids, attention_mask=mask.long(), **more)


class TransformersTowers(TransformersText, TwoTowers):
    """CLIP, SigLIP and CLAP: `signal` gives the embeddings of signals, before they get unit length."""

    def __init__(self, model: Any, tokenizer: Any, preprocess: Preparation, signal: nn.Module, **options: Any) -> None:
        super().__init__(model, tokenizer, preprocess, **options)
        self.signal = signal
        self.projection = getattr(model, "text_projection", nn.Identity())

    def embed_signal(self, x: Tensor) -> Tensor:
        embeddings: Tensor = self.signal(x)
        return embeddings

    def embed_text(self, embeddings: Tensor, mask: Tensor) -> Tensor:
        return normalize(self.projection(self.pooled(embeddings, mask)), dim=-1)

    def pooled(self, embeddings: Tensor, mask: Tensor) -> Tensor:
        """What the tower makes of the whole text."""
        pooled: Tensor = self.run_text(embeddings, mask).pooler_output
        return pooled


class ClipPair(TransformersTowers):
    """CLIP (Radford et al., 2021), whose text is read at its last token."""

    def pooled(self, embeddings: Tensor, mask: Tensor) -> Tensor:
        states: Tensor = self.run_text(embeddings, mask).last_hidden_state
        return states[torch.arange(len(states), device=states.device), mask.sum(1) - 1]


class BlipPair(TransformersText):
    """BLIP's image–text matching (Li et al., 2022): a text that looks at a photo through cross-attention.

    The score is the log-odds that they match: the difference of the head's two logits.
    """

    def __init__(self, model: Any, tokenizer: Any, preprocess: Preparation, signal: nn.Module) -> None:
        super().__init__(model, tokenizer, preprocess, link="sigmoid")
        self.signal, self.head = signal, model.itm_head

    @staticmethod
    def text_tower(model: Any) -> Any:
        return model.text_encoder

    def read(self, x: Tensor) -> Tensor:
        states: Tensor = self.signal(x)
        return states

    def match(self, reading: Tensor, embeddings: Tensor, mask: Tensor) -> Tensor:
        rows = max(len(reading), len(embeddings))
        reading, embeddings = (one.expand(rows, *one.shape[1:]) for one in (reading, embeddings))
        attended = torch.ones(reading.shape[:2], dtype=torch.long, device=reading.device)
        more = {"encoder_hidden_states": reading, "encoder_attention_mask": attended}
        states = self.run_text(embeddings, mask.expand(rows, -1), **more).last_hidden_state
        logits: Tensor = self.head(states[:, 0])
        return logits[:, 1] - logits[:, 0]


class Photos(Around):
    """The embedding of photos by a tower, whose pooled output goes through `projection`."""

    def __init__(self, tower: nn.Module, projection: nn.Module | None = None) -> None:
        super().__init__(tower)
        self.projection = projection or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return normalize(self.projection(self.module(pixel_values=x).pooler_output), dim=-1)


class PhotosInPatches(Around):
    """The embedding of photos of any size by SigLIP 2's tower, which takes them as rows of squares."""

    def __init__(self, tower: nn.Module, patch: int) -> None:
        super().__init__(tower)
        self.patch = patch

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = (n // self.patch for n in x.shape[2:])
        squares = x.unflatten(3, (columns, self.patch)).unflatten(2, (rows, self.patch))
        patches = squares.permute(0, 2, 4, 3, 5, 1).reshape(len(x), rows * columns, -1)
        kept = torch.ones(patches.shape[:2], dtype=torch.long, device=x.device)
        shapes = torch.tensor([[rows, columns]], device=x.device).expand(len(x), -1)
        out = self.module(pixel_values=patches, pixel_attention_mask=kept, spatial_shapes=shapes)
        return normalize(out.pooler_output, dim=-1)


class PhotoStates(Around):
    """The last hidden states of a photo tower, which a text attends to."""

    def forward(self, x: Tensor) -> Any:
        return self.module(pixel_values=x).last_hidden_state


class ClapInput(nn.Module):
    """What CLAP takes of a waveform `(batch, 1, samples)` (Wu et al., 2023): `(batch, copies, frames, n_mels)`.

    A shorter clip is repeated as often as it fits into `samples` and followed by silence; then comes the log-mel
    spectrogram in decibels, in HTK's bands and four copies for checkpoints with fusion, in Slaney's and one without.
    """

    def __init__(self, extractor: Any) -> None:
        super().__init__()
        self.samples, self.padding = int(extractor.nb_max_samples), str(extractor.padding)
        self.copies = 4 if extractor.truncation == "fusion" else 1
        bands = {"mel_scale": "htk", "norm": None} if self.copies == 4 else {"mel_scale": "slaney", "norm": "slaney"}
        self.mel = LogMel(
            int(extractor.sampling_rate),
            n_fft=int(extractor.fft_window_size),
            hop_length=int(extractor.hop_length),
            n_mels=int(extractor.feature_size),
            fmin=float(extractor.frequency_min),
            fmax=float(extractor.frequency_max),
            pad_mode="reflect",
            **bands,
        )

    def forward(self, x: Tensor) -> Tensor:
        bands: Tensor = self.mel(self._filled(x)).transpose(2, 3)
        return bands.expand(-1, self.copies, -1, -1)

    def _filled(self, x: Tensor) -> Tensor:
        if self.padding == "repeat":
            x = x.repeat(1, 1, -(-self.samples // x.shape[-1]))[..., : self.samples]
        elif self.padding == "repeatpad":
            x = x.repeat(1, 1, max(1, self.samples // x.shape[-1]))
        return nn.functional.pad(x, (0, self.samples - x.shape[-1]))


class Sounds(Around):
    """The embedding of waveforms by CLAP.

    With fusion each clip is marked as longer than the window, as transformers' extractor marks one that comes alone.
    """

    def __init__(self, model: Any, extraction: nn.Module) -> None:
        super().__init__(model.audio_model)
        self.extraction, self.projection = extraction, model.audio_projection

    def forward(self, x: Tensor) -> Tensor:
        longer = torch.ones(len(x), 1, dtype=torch.bool, device=x.device)
        out = self.module(input_features=self.extraction(x), is_longer=longer)
        return normalize(self.projection(out.pooler_output), dim=-1)


def _clip(name: str, model: Any, tokenizer: Any, processor: Any) -> Pair:
    photos = Photos(model.vision_model, model.visual_projection)
    return ClipPair(model, tokenizer, *_photos(name, processor, photos), scale=float(model.logit_scale.detach().exp()))


def _siglip(name: str, model: Any, tokenizer: Any, processor: Any) -> Pair:
    return TransformersTowers(
        model, tokenizer, *_photos(name, processor, Photos(model.vision_model)), **_judging_each(model)
    )


def _siglip2(name: str, model: Any, tokenizer: Any, processor: Any) -> Pair:
    fields, photos = processor.to_dict(), PhotosInPatches(model.vision_model, processor.patch_size)
    resample = optional("PIL.Image", "vision").Resampling(fields["resample"]).name.lower()
    preparation = Patches(processor.patch_size, processor.max_num_patches, resample)
    return TransformersTowers(
        model, tokenizer, preparation, Normalized(photos, *scaling_of_processor(fields)), **_judging_each(model)
    )


def _judging_each(model: Any) -> dict[str, Any]:
    """What SigLIP's training gives a pair (Zhai et al., 2023): texts judged one by one, padding that is read."""
    return {
        "padded": True, "link": "sigmoid",
        "scale": float(model.logit_scale.detach().exp()), "bias": float(model.logit_bias.detach()),
    }  # fmt: skip


def _blip(name: str, model: Any, tokenizer: Any, processor: Any) -> Pair:
    return BlipPair(model, tokenizer, *_photos(name, processor, PhotoStates(model.vision_model)))


def _photos(name: str, processor: Any, tower: nn.Module) -> tuple[Preparation, nn.Module]:
    """How photos are prepared, and the tower behind its normalisation."""
    fields = processor.to_dict()
    check_known(name, fields)
    return geometry_of_processor(fields), Normalized(tower, *scaling_of_processor(fields))


def _clap(name: str, model: Any, tokenizer: Any, extractor: Any) -> Pair:
    extraction = ClapInput(extractor)
    sounds = Windowed(Sounds(model, extraction), extraction.samples)
    sampling = Sampling(int(extractor.sampling_rate))
    return TransformersTowers(model, tokenizer, sampling, sounds, scale=float(model.logit_scale_a.detach().exp()))


FAMILIES: dict[
    str, tuple[str, str, Callable[[str, Any, Any, Any], Pair]]
] = {  # model, preparation, and what joins them
    "clip": ("CLIPModel", "AutoImageProcessor", _clip),
    "siglip": ("SiglipModel", "AutoImageProcessor", _siglip),
    "siglip2": ("Siglip2Model", "AutoImageProcessor", _siglip2),
    "blip": ("BlipForImageTextRetrieval", "AutoImageProcessor", _blip),
    "clap": ("ClapModel", "AutoFeatureExtractor", _clap),
}


def pair_from_transformers(name: str, weights: str | None = None, trust: bool = False) -> Pair:
    """The pair that `name`, on the hub or a folder, holds; its configuration says of which family it is."""
    if weights is not None:
        raise ValueError(
            f"a pair of transformers must have its weights in its folder; got weights for hf:{name}. Leave it out."
        )
    transformers = optional("transformers", "hf")
    config = config_of(name, Variant(trust=trust))
    if config.model_type not in FAMILIES:
        raise ValueError(
            f"prompts are for pairs of a signal and a text, in transformers {', '.join(FAMILIES)}; hf:{name} is "
            f"{config.model_type}. Choose one of those, or write a function that returns a Pair."
        )
    kind, preparation, join = FAMILIES[config.model_type]
    try:
        model, info = getattr(transformers, kind).from_pretrained(name, output_loading_info=True)
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=trust)
        prepares = getattr(transformers, preparation).from_pretrained(name, trust_remote_code=trust)
    except Exception as error:  # hub, file and configuration errors share no base class
        raise fetch_failure(name, error) from error
    if info["missing_keys"]:
        raise ValueError(
            f"hf:{name} is no pair: its checkpoint lacks {min(info['missing_keys'])} of {kind}. Choose one that was "
            "trained on signals and texts."
        )
    return join(name, model.eval(), tokenizer, prepares)
