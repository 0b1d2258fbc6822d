"""Models of transformers that write: about pictures (captions, answers), and what a sound says (Whisper)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from wavelens.models.preparations.text import Encoded
from wavelens.models.sources.hf_audio import WhisperInput
from wavelens.models.sources.hf_text import Encoder
from wavelens.models.weights import Around
from wavelens.models.writers import Writer
from wavelens.optional import optional

IMAGE_TOKEN = "image_token_id"  # in configurations of models that read a picture as tokens among others
WRITES = "ForConditionalGeneration"


def writes_about_pictures(config: Any) -> bool:
    """Whether a checkpoint is of a model that writes about a picture."""
    auto = optional("transformers.models.auto.modeling_auto", "hf")
    known = getattr(auto, "MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES", {})
    return _writes(config) and config.model_type in known


def writes_down_speech(config: Any) -> bool:
    """Whether a checkpoint is Whisper's with its decoder."""
    return _writes(config) and config.model_type == "whisper"


def _writes(config: Any) -> bool:
    return any(name.endswith(WRITES) for name in config.architectures or ())


class TransformersWriter(Around, Writer):
    """A writer of transformers: `module`, its tokenizer, and the ids in front of what it writes."""

    start: Tensor

    def __init__(self, module: Any, tokenizer: Any, start: Sequence[int], file_names: Mapping[str, str]) -> None:
        super().__init__(module, file_names)
        self.tokenizer = tokenizer
        self.end = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id
        self.longest = _context(module.config) - len(start)
        self.register_buffer("start", torch.tensor(list(start), dtype=torch.long), persistent=False)

    def encode(self, text: str) -> Encoded:
        return Encoder(self.tokenizer)(text)

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=True)
        return text.strip()

    def _tokens(self, rows: int, ids: Sequence[int]) -> Tensor:
        """What stands in front and the ids, the same in each row."""
        own = torch.tensor(list(ids), dtype=torch.long, device=self.start.device)
        return torch.cat([self.start, own]).expand(rows, -1)


class PictureWriter(TransformersWriter):
    """A model that writes about a picture `(batch, 3, height, width)` in [0, 1] behind a question, or without one."""

    def __init__(self, module: Any, tokenizer: Any, start: Sequence[int], scaling: nn.Module, file_names: Any) -> None:
        super().__init__(module, tokenizer, start, file_names)
        self.scaling = scaling

    def next_logits(self, x: Tensor, ids: Sequence[int]) -> Tensor:
        tokens = self._tokens(len(x), ids)
        attended = torch.ones_like(tokens)
        module: Any = self.module
        output = module(pixel_values=self.scaling(x), input_ids=tokens, attention_mask=attended)
        logits: Tensor = output.logits[:, len(self.start) - 1 :]
        return logits


class SpeechWriter(TransformersWriter):
    """Whisper: it writes down what a waveform `(batch, 1, samples)` says, of at most half a minute."""

    def __init__(self, module: Any, tokenizer: Any, start: Sequence[int], mel: WhisperInput, file_names: Any) -> None:
        super().__init__(module, tokenizer, start, file_names)
        self.mel = mel

    def next_logits(self, x: Tensor, ids: Sequence[int]) -> Tensor:
        if x.shape[-1] > self.mel.samples:
            raise ValueError(
                f"this model hears {self.mel.samples:,} samples at once; got {x.shape[-1]:,}. Cut the sound into "
                "several."
            )
        module: Any = self.module
        output = module(input_features=self.mel(x), decoder_input_ids=self._tokens(len(x), ids), use_cache=False)
        logits: Tensor = output.logits[:, len(self.start) - 1 :]
        return logits

    def encode(self, text: str) -> Encoded:
        """With a space in front, as it writes; characters are those of the text as it is given."""
        ids, ends = super().encode(f" {text}")
        return ids, [(max(0, start - 1), max(0, stop - 1)) for start, stop in ends]


def _context(config: Any) -> int:
    """How many tokens the writing part of a model takes."""
    places = (config, getattr(config, "text_config", None))
    bounds = [
        getattr(one, name, None) for one in places for name in ("max_target_positions", "max_position_embeddings")
    ]
    return next((bound for bound in bounds if isinstance(bound, int)), Writer.longest)


def picture_start(name: str, module: Any, tokenizer: Any, question: str | None, shape: tuple[int, ...]) -> list[int]:
    """The ids in front of an answer: those of the picture, where it is read as tokens, and of the question.

    A question may say where the picture stands by the model's own sign, such as '<image>'; else it stands in front.
    """
    image = getattr(module.config, IMAGE_TOKEN, None)
    if image is None:
        first = next((k for k in (tokenizer.bos_token_id, tokenizer.cls_token_id) if k is not None), None)
        begins = getattr(getattr(module.config, "text_config", None), "bos_token_id", None)
        front = [begins if first is None or begins is not None else first]
        return [*front, *(tokenizer(question, add_special_tokens=False)["input_ids"] if question else ())]
    sign = tokenizer.convert_ids_to_tokens(image)
    text = question or ""
    ids = tokenizer(text if sign in text else f"{sign}{text}")["input_ids"]
    if ids.count(image) != 1:
        raise ValueError(f"a question to {name} is about one picture, {sign}; got {ids.count(image)} in {text!r}.")
    at = ids.index(image)
    return [*ids[:at], *[image] * _picture_tokens(module, shape), *ids[at + 1 :]]


@torch.no_grad()
def _picture_tokens(module: Any, shape: tuple[int, ...]) -> int:
    """How many tokens a picture becomes."""
    output = module.get_image_features(pixel_values=torch.zeros(1, *shape))
    features = getattr(output, "pooler_output", output)
    several = list(features) if isinstance(features, list | tuple) else [features]
    return sum(one.shape[:-1].numel() for one in several)


def speech_start(module: Any, tokenizer: Any) -> list[int]:
    """The ids in front of what is said: language and task, where the tokenizer knows them."""
    prefix = getattr(tokenizer, "prefix_tokens", None)
    return list(prefix) if prefix else [module.config.decoder_start_token_id]
