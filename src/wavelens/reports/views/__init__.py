"""What a report shows of each kind of signal: the views of the library, and `ReportView` for those of one's own."""

from __future__ import annotations

from wavelens.reports.views.cloud import CLOUD_VIEW
from wavelens.reports.views.photo import PHOTO_VIEW
from wavelens.reports.views.scene import SCENE_VIEW
from wavelens.reports.views.series import SERIES_VIEW
from wavelens.reports.views.sound import SOUND_VIEW
from wavelens.reports.views.text import TEXT_VIEW
from wavelens.reports.views.tiles import TILES_VIEW
from wavelens.reports.views.video import VIDEO_VIEW
from wavelens.reports.views.view import ReportView, View, packed_maps
from wavelens.reports.views.volume import VOLUME_VIEW

__all__ = [
    "CLOUD_VIEW",
    "PHOTO_VIEW",
    "SCENE_VIEW",
    "SERIES_VIEW",
    "SOUND_VIEW",
    "TEXT_VIEW",
    "TILES_VIEW",
    "VIDEO_VIEW",
    "VOLUME_VIEW",
    "ReportView",
    "View",
    "packed_maps",
    "view_called",
    "view_for",
]

VIEWS = (SOUND_VIEW, PHOTO_VIEW, VOLUME_VIEW, VIDEO_VIEW, SERIES_VIEW, CLOUD_VIEW, TEXT_VIEW)


def view_called(name: str, axes: int) -> ReportView:
    """The library's view of that name; `ValueError` where it shows signals with another number of axes."""
    named = [view for view in VIEWS if view.name == name and view.axes == axes]
    if not named:
        raise ValueError(
            "kind must be sound, series, cloud or text for one axis, photo for two, and volume or video for three; got "
            f"{name!r} for {axes}. Leave it out, and the axes choose."
        )
    return named[0]


def view_for(units: tuple[str, ...]) -> ReportView | None:
    """The library's view of signals with these units, one for each axis: three of which the first is time are a video.

    None for signals with more than three axes.
    """
    if len(units) == 3 and units[0] == "s":
        return VIDEO_VIEW
    return next((view for view in VIEWS if view.axes == len(units)), None)
