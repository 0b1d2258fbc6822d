"""Classifiers of transformers, by name on its hub or from a folder, each with its own preparation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from wavelens.models.loaded import Parts, Preparation, Variant
from wavelens.models.naming import read_threshold
from wavelens.models.pairs import NeedsText
from wavelens.models.preparations.audio import Sampling
from wavelens.models.preparations.fitted import Fitted
from wavelens.models.preparations.image import Geometry, Normalized
from wavelens.models.recomputed import recompute_layers
from wavelens.models.sources.hf_audio import WhisperInput, is_sound, sound_parts
from wavelens.models.sources.hf_places import detector_parts, is_detector, is_segmenter, segmenter_parts
from wavelens.models.sources.hf_text import is_text, text_parts
from wavelens.models.sources.hf_video import is_video, video_parts
from wavelens.models.sources.hf_writers import (
    PictureWriter,
    SpeechWriter,
    picture_start,
    speech_start,
    writes_about_pictures,
    writes_down_speech,
)
from wavelens.models.weights import Around, unavailable
from wavelens.optional import optional, unloadable

PAIR_MODELS = {"CLIPModel", "SiglipModel", "Siglip2Model", "BlipForImageTextRetrieval", "ClapModel"}


class Logits(Around):
    """A transformers classifier that returns its logits alone."""

    def forward(self, x: Tensor) -> Any:
        return self.module(x).logits


def from_transformers(name: str, variant: Variant) -> Parts:
    """A classifier, a detector, a segmenter, or a model that writes, as the configuration of `name` says.

    'NAME(threshold=0.3)' is a detector whose objects count from that probability.
    """
    text, (name, threshold) = name, read_threshold("hf", name)
    config = config_of(name, variant)
    if is_detector(config):
        module, processor = _prepared(name, variant, "AutoModelForObjectDetection")
        return detector_parts(
            module, _file_names(module, variant), _whole(processor), scaling_of_processor(processor), threshold
        )
    if PAIR_MODELS.intersection(config.architectures or ()):
        raise NeedsText(f"hf:{name}")
    if threshold is not None:
        raise ValueError(f"threshold is for detectors; hf:{text} is none. Leave it out.")
    if is_segmenter(config):
        module, processor = _prepared(name, variant, "AutoModelForSemanticSegmentation")
        return segmenter_parts(
            Logits(module, _file_names(module, variant)),
            _whole(processor),
            scaling_of_processor(processor),
            own_labels(module),
        )
    if writes_down_speech(config):
        return _speech(name, variant)
    if writes_about_pictures(config):
        return _about_pictures(name, variant)
    make = _sound if is_sound(config) else _video if is_video(config) else _text if is_text(config) else _image
    return make(name, variant)


def config_of(name: str, variant: Variant) -> Any:
    """The configuration that transformers has of a name; an error that says what is missing where there is none."""
    transformers = optional("transformers", "hf")
    classes = {} if variant.classes is None else _unnamed(variant.classes)
    try:
        return transformers.AutoConfig.from_pretrained(name, trust_remote_code=variant.trust, **classes)
    except Exception as error:  # hub, file and configuration errors share no base class
        raise fetch_failure(name, error) from error


def _unnamed(classes: int) -> dict[str, Any]:
    """So many classes, as transformers calls them."""
    names = {i: f"LABEL_{i}" for i in range(classes)}
    return {"id2label": names, "label2id": {name: i for i, name in names.items()}}


def _file_names(module: Any, variant: Variant) -> dict[str, str]:
    """What the tensors of a module that is to be filled are called in a file of transformers, from version 5 on."""
    if variant.pretrained:
        return {}
    try:
        conversion = optional("transformers.core_model_loading", "hf")
    except ImportError:
        return {}
    own = module.state_dict()
    names = {id(value): name for name, value in own.items()}
    written = conversion.revert_weight_conversion(module, own)
    return {name: names[id(value)] for name, value in written.items() if id(value) in names}


def _sound(name: str, variant: Variant) -> Parts:
    module, extractor = _fetched(name, variant, "AutoModelForAudioClassification", "AutoFeatureExtractor")
    return sound_parts(name, module, extractor, own_labels(module), link_of(module), _file_names(module, variant))


def _video(name: str, variant: Variant) -> Parts:
    module, processor = _prepared(name, variant, "AutoModelForVideoClassification")
    frames = module.config.num_frames
    return video_parts(
        Logits(module, _file_names(module, variant)),
        geometry_of_processor(processor),
        scaling_of_processor(processor),
        frames,
        own_labels(module),
    )


def _text(name: str, variant: Variant) -> Parts:
    module, tokenizer = _fetched(name, variant, "AutoModelForSequenceClassification", "AutoTokenizer")
    names = _file_names(module, variant)
    return text_parts(name, module, tokenizer, own_labels(module), link_of(module), names, variant.windows)


def _about_pictures(name: str, variant: Variant) -> Parts:
    """A model that writes about pictures; without a text it tells which token it would write first."""
    module, processor = _prepared(name, variant, "AutoModelForImageTextToText")
    tokenizer, geometry, module = _tokenizer(name, variant), geometry_of_processor(processor), module.float()
    start = picture_start(name, module, tokenizer, variant.question, geometry.shape)
    scaling = Normalized(nn.Identity(), *scaling_of_processor(processor))
    writer = PictureWriter(module, tokenizer, start, scaling, _file_names(module, variant))
    return _written(writer, geometry)


def _speech(name: str, variant: Variant) -> Parts:
    """Whisper; without a text it tells which token it would write first."""
    module, extractor = _fetched(name, variant, "AutoModelForSpeechSeq2Seq", "AutoFeatureExtractor")
    tokenizer, rate = _tokenizer(name, variant), int(extractor.sampling_rate)
    mel = WhisperInput(rate, extractor.feature_size, extractor.n_fft, extractor.hop_length, extractor.n_samples)
    start = speech_start(module, tokenizer)
    writer = SpeechWriter(module.float(), tokenizer, start, mel, _file_names(module, variant))
    return _written(writer, Sampling(rate))


def _written(writer: Any, preparation: Preparation) -> Parts:
    """A writer whose layers are computed again for their gradient; its first classes are its vocabulary."""
    recompute_layers(writer.module)
    for config in (writer.module.config, getattr(writer.module.config, "text_config", None)):
        if config is not None:
            config.use_cache = False  # what layers keep for the next token is no part of one answer
    with torch.no_grad():
        size = writer.eval()(torch.zeros(1, *preparation.shape)).shape[1]
    known = writer.tokenizer.convert_ids_to_tokens(list(range(min(size, len(writer.tokenizer)))))
    labels = tuple(token if token is not None else f"token {k}" for k, token in enumerate(known))
    return Parts(writer, preparation, (*labels, *(f"token {k}" for k in range(len(labels), size))))


def _tokenizer(name: str, variant: Variant) -> Any:
    transformers = optional("transformers", "hf")
    try:
        return transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=variant.trust)
    except Exception as error:  # hub, file and configuration errors share no base class
        raise fetch_failure(name, error) from error


def _image(name: str, variant: Variant) -> Parts:
    module, processor = _prepared(name, variant, "AutoModelForImageClassification")
    normalized = Normalized(Logits(module, _file_names(module, variant)), *scaling_of_processor(processor))
    return Parts(normalized, geometry_of_processor(processor), own_labels(module), link_of(module))


def _fetched(name: str, variant: Variant, model: str, preparation: str) -> tuple[Any, Any]:
    """The classifier and what prepares its input, by the names of transformers' automatic classes."""
    transformers = optional("transformers", "hf")
    trust = {"trust_remote_code": variant.trust}
    make, info = getattr(transformers, model), {"missing_keys": ()}
    try:
        if variant.pretrained:
            module, info = make.from_pretrained(name, output_loading_info=True, **trust)
        else:
            module = make.from_config(config_of(name, variant), **trust)
        prepares = getattr(transformers, preparation).from_pretrained(name, **trust)
    except Exception as error:  # hub, file and configuration errors share no base class
        raise fetch_failure(name, error) from error
    check_complete(name, info)
    return module, prepares


def fetch_failure(name: str, error: Exception) -> Exception:
    """The error that says in one line why transformers gives no model of a name."""
    if "trust_remote_code" in str(error):
        return ValueError(
            f"hf:{name} comes with code of its own, which runs when it is loaded. If you know who made it, pass "
            "--trust (in Python trust=True)."
        )
    if isinstance(error, ImportError):  # each class is imported when it is asked for, and what it needs with it
        return unloadable("transformers", "hf", error)
    if not Path(name).is_dir():
        return unavailable(f"hf:{name}", error)
    reason = " ".join(str(error).split())
    return ValueError(
        f"hf:{name} could not be loaded: {reason.rstrip('.')}. A folder holds what save_pretrained writes of the model "
        "(config.json and its weights) and of its feature extractor or processor (preprocessor_config.json), or of its "
        "tokenizer (tokenizer.json)."
    )


def _prepared(name: str, variant: Variant, model: str) -> tuple[Any, dict[str, Any]]:
    """A classifier of pictures, and the fields of its processor."""
    module, processor = _fetched(name, variant, model, "AutoImageProcessor")
    fields = processor.to_dict()
    check_known(name, fields)
    return module, fields


def check_known(name: str, processor: dict[str, Any]) -> None:
    """`ValueError` for a preparation that does more than resize, crop and normalise: it would make another input."""
    odd = [key for key in ("do_flip_channel_order", "include_top", "rescale_offset", "offset") if processor.get(key)]
    kind = str(processor.get("image_processor_type", ""))
    missing = [key for key in ("size", "resample") if key not in processor]
    if odd or missing or kind.startswith("Levit"):
        raise ValueError(
            f"hf: knows preparations that resize, crop and normalise; that of {name} ({kind or 'no type'}) is another: "
            f"{', '.join([*odd, *(f'no {key}' for key in missing)]) or 'a size of its own'}. Give a function that "
            "returns a LoadedModel."
        )


def link_of(module: Any) -> str:
    """How the model's logits become probabilities, by what its configuration says that it was trained for."""
    return "sigmoid" if module.config.problem_type == "multi_label_classification" else "softmax"


def scaling_of_processor(processor: dict[str, Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation for pixels in [0, 1], from a processor that rescales bytes by any factor or none."""
    factor = 255 * processor["rescale_factor"] if processor.get("do_rescale") else 255
    mean, std = (processor["image_mean"], processor["image_std"]) if processor.get("do_normalize") else (0, 1)
    spread = [np.broadcast_to(value, 3) / factor for value in (mean, std)]
    return tuple(spread[0].tolist()), tuple(spread[1].tolist())


def _whole(processor: dict[str, Any]) -> Fitted | Geometry:
    """For models that answer place by place: nothing is cropped where the processor crops nothing."""
    size = processor["size"]
    if "shortest_edge" not in size or (processor.get("do_center_crop") and processor.get("crop_size")):
        return geometry_of_processor(processor)
    filter = Image.Resampling(processor["resample"]).name.lower()
    return Fitted(size["shortest_edge"], size.get("longest_edge"), filter)


def geometry_of_processor(processor: dict[str, Any]) -> Geometry:
    """How a processor with these fields resizes and crops."""
    size, crop = processor["size"], processor.get("crop_size")
    squash = "height" in size
    resize = (size["height"], size["width"]) if squash else (size["shortest_edge"],) * 2
    window = (crop["height"], crop["width"]) if crop and processor.get("do_center_crop") else resize
    if processor.get("crop_pct") and resize[0] < 384:  # ConvNeXt: small sizes are cropped, large ones squashed
        resize = (int(resize[0] / processor["crop_pct"]),) * 2
    elif processor.get("crop_pct"):
        squash = True
    return Geometry(resize, window, squash, Image.Resampling(processor["resample"]).name.lower())


def check_complete(name: str, info: dict[str, Any]) -> None:
    """`ValueError` for a checkpoint that was not trained for the task: its last layer would be random."""
    if info["missing_keys"]:
        raise ValueError(
            f"hf: takes a classifier; got {name!r}, whose checkpoint lacks {min(info['missing_keys'])}. "
            "Choose one that was trained to classify."
        )


def own_labels(module: Any) -> tuple[str, ...]:
    """The names of the classes, or nothing where they are those that transformers makes up."""
    labels = tuple(module.config.id2label[i] for i in range(module.config.num_labels))
    return () if all(label == f"LABEL_{i}" for i, label in enumerate(labels)) else labels
