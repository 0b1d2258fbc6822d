"""What a report shows of each kind of signal; a new kind is a file here and a line in `VIEWS`."""

from __future__ import annotations

from collections.abc import Callable

from wavelens.reports.entry import Entry
from wavelens.reports.views.photo import show_photo
from wavelens.reports.views.sound import show_sound
from wavelens.reports.views.video import show_video
from wavelens.reports.views.view import NOTHING, View
from wavelens.reports.views.volume import show_volume

VIEWS: dict[str, Callable[[Entry, int], View]] = {
    "": lambda entry, room: NOTHING,
    "photo": show_photo,
    "sound": show_sound,
    "video": show_video,
    "volume": show_volume,
}


def view_of(entry: Entry, room: int) -> View:
    """What there is to see of an entry, in about `room` numbers."""
    return VIEWS[entry.shown_as](entry, room)
