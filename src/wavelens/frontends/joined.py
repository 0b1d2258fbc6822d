"""An input of several files, written with commas: 't1.nii.gz,flair.nii.gz'. Which files, and what each is called."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

COMMA = ","
PATTERN = "*?["  # what makes a name one of many files, as for glob
SEPARATORS = "_-. /"  # between the parts of a file's name


def joined_files(path: Path) -> list[Path]:
    """The files of an input that is written with commas; itself where it is a pattern, or a file or folder.

    A name without a folder lies beside the first file.

    >>> from wavelens.frontends.joined import joined_files
    >>> [file.as_posix() for file in joined_files(Path("case/t1.nii.gz,flair.nii.gz"))]
    ['case/t1.nii.gz', 'case/flair.nii.gz']
    """
    text = str(path)
    if (
        COMMA not in text or set(text) & set(PATTERN) or os.path.exists(text)
    ):  # unlike Path.exists, it bears names of any length
        return [path]
    if path.parent.is_dir():  # whose own name may have a comma
        return [path.parent / part.strip() for part in path.name.split(COMMA)]
    first, *others = (part.strip() for part in text.split(COMMA))
    beside = Path(first).parent
    return [Path(first), *(beside / part if part == os.path.basename(part) else Path(part) for part in others)]


def joined_groups(files: Sequence[Path], channels: Sequence[str]) -> list[Path]:
    """The inputs among the files of one folder, where each is of several files that end in the names of `channels`.

    What ends in no channel's name, such as a segmentation, is passed over, unless all files do.

    >>> from wavelens.frontends.joined import joined_groups
    >>> cases = [Path(f"{case}_{name}.nii") for case in "ab" for name in ("flair", "seg", "t1")]
    >>> [str(path) for path in joined_groups(cases, ("t1", "flair"))]
    ['a_t1.nii,a_flair.nii', 'b_t1.nii,b_flair.nii']
    """
    groups: dict[str, dict[str, Path]] = {}
    for file in files:
        shared, channel = _split(file, channels)
        if channel:
            groups.setdefault(shared, {})[channel] = file
    ordered = [[group[name] for name in channels if name in group] for group in groups.values()]
    return [group[0].parent / COMMA.join(file.name for file in group) for group in ordered] or list(files)


def _split(file: Path, channels: Sequence[str]) -> tuple[str, str]:
    """What a file shares with others of its input, and the channel in whose name its own ends; '' for none."""
    name = _without_suffix(Path(file.name))
    starts = {channel: name[: len(name) - len(channel)] for channel in channels if _ends_in(name, channel)}
    channel = max(starts, key=len, default="")
    return starts.get(channel, name), channel


def _ends_in(name: str, channel: str) -> bool:
    """Whether a name is the channel's, or ends in it after a separator."""
    start = name[: len(name) - len(channel)]
    return name.casefold().endswith(channel.casefold()) and (not start or start[-1] in SEPARATORS)


def joined_names(files: Sequence[Path]) -> tuple[str, ...]:
    """What tells the files apart: 't1' and 'flair' of 'case_t1.nii.gz' and 'case_flair.nii.gz'.

    >>> from wavelens.frontends.joined import joined_names
    >>> joined_names([Path("a/case_t1.nii.gz"), Path("a/case_t1ce.nii.gz")])
    ('t1', 't1ce')
    """
    texts = [_without_suffix(file) for file in files]
    start = len(_shared_start(texts))
    end = len(_shared_start([text[start:][::-1] for text in texts]))
    names = tuple(text[start : len(text) - end] for text in texts)
    return names if all(names) and len(set(names)) == len(names) else tuple(texts)


def joined_stem(files: Sequence[Path]) -> str:
    """What the files share: 'case' of 'case_t1.nii.gz' and 'case_flair.nii.gz', or their names where they share none.

    >>> from wavelens.frontends.joined import joined_stem
    >>> joined_stem([Path("case_t1.nii.gz"), Path("case_flair.nii.gz")]), joined_stem([Path("t1.nii"), Path("t2.nii")])
    ('case', 't1+t2')
    """
    shared = Path(_shared_start([_without_suffix(file) for file in files]).rstrip(SEPARATORS)).name
    return shared or "+".join(Path(name).name for name in joined_names(files))


def _without_suffix(file: Path) -> str:
    whole = file.as_posix()
    return whole[: len(whole) - len(file.suffix)].removesuffix(".nii") if file.suffix else whole


def _shared_start(texts: Sequence[str]) -> str:
    """What all texts begin with, up to a separator."""
    first, last = min(texts), max(texts)  # in order of letters: what both begin with, all do
    differing = (k for k, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    start = first[: next(differing, len(first))]
    return start[: 1 + max(start.rfind(one) for one in SEPARATORS)]
