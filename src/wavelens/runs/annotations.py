"""Where the objects of a data set's photos are: the boxes of a COCO file, or a folder of masks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wavelens.counts import count_of
from wavelens.frontends.pictures import stored
from wavelens.runs.samples import Sample
from wavelens.untrusted import check_file, excerpt, json_object

CocoBox = tuple[float, float, float, float]  # x, y, width, height


@dataclass(frozen=True)
class Boxes:
    """Boxes in pixels of the upright photo from its upper left corner, each with the classes that its category names.

    None in their place says that a box holds whatever class is explained. `size` is the photo's (height, width), where
    the file has it.
    """

    boxes: tuple[tuple[CocoBox, tuple[int, ...] | None], ...]
    size: tuple[int, int] | None = None

    def region(self, shape: tuple[int, int], target: int) -> Tensor:
        """The pixels that a box of the class touches, `(height, width)` of a photo."""
        if self.size not in (None, shape):
            raise ValueError(
                f"boxes are in pixels of the photo, upright, which is {_by(shape)}; the file of boxes says "
                f"{_by(self.size)}. Annotate the photo that is here."
            )
        mask = torch.zeros(shape, dtype=torch.bool)
        for (left, top, width, height), classes in self.boxes:
            if classes is None or target in classes:
                mask[_pixels(top, height), _pixels(left, width)] = True
        return mask


@dataclass(frozen=True)
class MaskFile:
    """A picture of the photo's size that is not 0 on the object, whatever class is explained."""

    name: str
    bytes: int
    root: str = field(default="", repr=False)

    def region(self, shape: tuple[int, int], target: int) -> Tensor:
        """The pixels of the object, `(height, width)` of a photo."""
        path = Path(self.root) / self.name
        check_file(path, "mask")
        try:
            mask = torch.from_numpy(stored(path).any(-1))
        except Exception as error:  # decoders raise anything on broken bytes
            raise ValueError(f"the mask {path} could not be decoded: {error}. Write it again as PNG.") from error
        if mask.shape != shape:
            raise ValueError(f"a mask has the size of its photo, {_by(shape)}; {path} is {_by(mask.shape)}.")
        return mask


def annotated(samples: Sequence[Sample], path: Path, named: Callable[[str], Sequence[int]]) -> list[Sample]:
    """The samples with their objects, where they have some: from a COCO file, or a folder with a PNG for each photo.

    Files are known by their names relative to the data set's folder, masks by the same with .png for a suffix. `named`
    gives the classes that have the name of a category. `ValueError` where no file has an object.
    """
    if path.is_dir():
        objects: dict[str, Boxes | MaskFile] = {s.name: m for s in samples if (m := _mask(path, s.name)) is not None}
    elif path.exists():
        check_file(path, "COCO file")
        objects = dict(_boxes(path, named))
    else:
        raise FileNotFoundError(f"annotations are a COCO file of boxes or a folder of masks; there is no {path}.")
    if not any(sample.name in objects for sample in samples):
        raise ValueError(
            f"{path} has no object for {count_of(len(samples), 'file')}, such as {samples[0].name}. Files of boxes "
            "have names relative to the data set's folder, masks the same with .png for a suffix."
        )
    return [replace(sample, objects=objects.get(sample.name)) for sample in samples]


def _mask(folder: Path, name: str) -> MaskFile | None:
    own = Path(name).with_suffix(".png").as_posix()
    path = folder / own
    return MaskFile(own, path.stat().st_size, str(folder)) if path.exists() else None


def _boxes(path: Path, named: Callable[[str], Sequence[int]]) -> dict[str, Boxes]:
    """The boxes of each photo that has some, by its name."""
    try:
        content = json_object(path.read_bytes())
        categories = {one["id"]: str(one["name"]) for one in content.get("categories", [])}
        classes = {number: tuple(named(name)) for number, name in categories.items()}
        by_image: dict[Any, list[tuple[CocoBox, tuple[int, ...] | None]]] = {}
        for one in content["annotations"]:
            own = classes[one["category_id"]] if "category_id" in one else None
            by_image.setdefault(one["image_id"], []).append((_box(one["bbox"]), own))
        photos = {one["file_name"]: (by_image.get(one["id"], []), _size(one)) for one in content["images"]}
        for key in ("id", "file_name"):
            if len({one[key] for one in content["images"]}) < len(content["images"]):
                raise ValueError(f"two images have the same {key}")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(
            f"{path} is a COCO file with images (id, file_name) and annotations (image_id, bbox of x, y, width and "
            f"height); this one cannot be read ({type(error).__name__}: {excerpt(str(error))})."
        ) from None
    if categories and not any(classes.values()):
        raise ValueError(
            f"{path} has the categories {', '.join(list(categories.values())[:5])}, and none has the name of a class. "
            "Name them as the model does, or leave category_id out for boxes of whatever class is explained."
        )
    return {name: Boxes(tuple(boxes), size) for name, (boxes, size) in photos.items() if boxes}


def _box(values: Sequence[float]) -> CocoBox:
    left, top, width, height = (float(value) for value in values)
    if not (math.isfinite(left + top + width + height) and width > 0 and height > 0):
        raise ValueError(f"a bbox must be x, y, and a width and height above 0; got {values}")
    return left, top, width, height


def _size(photo: Any) -> tuple[int, int] | None:
    return (int(photo["height"]), int(photo["width"])) if "height" in photo and "width" in photo else None


def _pixels(start: float, extent: float) -> slice:
    """Those that are touched from `start` on; what is less than a millionth is rounding."""
    return slice(max(0, math.floor(round(start, 6))), max(0, math.ceil(round(start + extent, 6))))


def _by(shape: Sequence[int] | None) -> str:
    return "unknown" if shape is None else f"{shape[1]} × {shape[0]}"
