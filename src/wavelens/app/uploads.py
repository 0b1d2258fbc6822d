"""`Uploads`: the files that visitors sent, under names that tell nothing of the server, within quotas."""

from __future__ import annotations

import secrets
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from wavelens.app.limits import Limits
from wavelens.app.refusals import RequestRefused
from wavelens.app.visitors import Visitor
from wavelens.counts import count_of

MAX_FILES = 512  # of all visitors
MAX_AT_ONCE = 8  # uploads that arrive at the same time
MAX_AT_ONCE_PER_VISITOR = 2
MAX_STEM_BYTES = 120  # of a file's name; results are called after it
MAX_SUFFIXES = 16  # characters
FORBIDDEN = frozenset('<>:"/\\|?*')  # by one file system or another


@dataclass(eq=False)
class Upload:
    """A file of `size` bytes so far; it has a `path` when it is complete."""

    visitor: Visitor
    token: str
    size: int = 0
    path: Path | None = None
    sent_as: str = ""

    @property
    def name(self) -> str:
        """What its page calls it."""
        return f"{self.token}/{self.path.name}" if self.path else ""

    @property
    def there(self) -> bool:
        return self.path is None or self.path.is_file()


class Uploads:
    """Uploads below `folder`, each in a folder of its own. What has been deleted there no longer counts."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder, self.limits = folder, limits
        self._uploads: dict[str, Upload] = {}
        self._lock = threading.Lock()

    def begin(self, visitor: Visitor) -> Upload:
        """An upload that arrives from now on; `RequestRefused` where there are too many."""
        with self._lock:
            self._forget()
            own = [one for one in self._uploads.values() if one.visitor is visitor]
            arriving = [one for one in self._uploads.values() if one.path is None]
            mine = sum(one.visitor is visitor for one in arriving)
            if len(own) >= self.limits.visitor_files:
                most = self.limits.visitor_files
                raise RequestRefused(
                    429, f"A browser has at most {count_of(most, 'file')} here; close pages or wait a minute."
                )
            if len(self._uploads) >= MAX_FILES:
                raise RequestRefused(429, f"The app holds at most {MAX_FILES} files; try again in a while.")
            if mine >= MAX_AT_ONCE_PER_VISITOR or len(arriving) >= MAX_AT_ONCE:
                raise RequestRefused(429, "Too many files arrive at the same time; try again in a while.")
            upload = Upload(visitor, secrets.token_urlsafe(16))
            self._uploads[upload.token] = upload
            return upload

    def grow(self, upload: Upload, count: int) -> None:
        """Counts the bytes that have arrived; `RequestRefused` where a quota is used up."""
        with self._lock:
            upload.size += count
            replacing = 2 * self.limits.megabytes  # a page's file goes when another has arrived
            for whose, held, most in (
                ("from one browser", self._size(upload.visitor), max(self.limits.visitor_megabytes, replacing)),
                ("in all", self._size(), max(self.limits.total_megabytes, replacing)),
            ):
                if held > most * 2**20:
                    raise RequestRefused(
                        413, f"The app holds at most {most:g} MB of uploads {whose}; close pages or wait a minute."
                    )

    def finish(self, upload: Upload, content: BinaryIO, filename: str) -> str:
        """Keep the file; returns the name under which its page asks for it."""
        path = self.folder / upload.token / file_name(filename)
        path.parent.mkdir()
        with path.open("xb") as file:
            shutil.copyfileobj(content, file)
        with self._lock:
            upload.path, upload.size = path, path.stat().st_size
        return upload.name

    def drop(self, upload: Upload) -> None:
        """Removes an upload that did not arrive completely."""
        with self._lock:
            self._uploads.pop(upload.token, None)
        shutil.rmtree(self.folder / upload.token, ignore_errors=True)

    def path(self, visitor: Visitor, name: str) -> Path | None:
        """The file that this visitor's page calls `name`, if it is still there."""
        upload = self._uploads.get(name.partition("/")[0])
        mine = upload is not None and upload.visitor is visitor and upload.name == name and upload.there
        return upload.path if upload is not None and mine else None

    def _size(self, visitor: Visitor | None = None) -> int:
        return sum(one.size for one in self._uploads.values() if visitor is None or one.visitor is visitor)

    def _forget(self) -> None:
        self._uploads = {token: one for token, one in self._uploads.items() if one.there}


def file_name(sent: str) -> str:
    """The last part of the name that a file had at home, without what a file system or a page might misread."""
    last = PurePosixPath(sent.replace("\\", "/")).name
    clean = "".join(letter if letter.isprintable() and letter not in FORBIDDEN else "_" for letter in last).strip(" .")
    last_two = "".join(PurePosixPath(clean).suffixes[-2:])
    suffixes = next((end for end in (last_two, PurePosixPath(clean).suffix) if len(end) <= MAX_SUFFIXES), "")
    stem = clean.removesuffix(suffixes).encode()[:MAX_STEM_BYTES].decode(errors="ignore").rstrip(" .")
    return f"{stem or 'upload'}{suffixes}"
