"""Scenes of several signals: pictures are those of the parts, each a block of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wavelens.reports.views.view import ReportView, View

if TYPE_CHECKING:  # an entry knows its view
    from wavelens.reports.entry import Entry


def show_scene(entry: Entry, room: int) -> View:
    """Nothing but the numbers of all parts together."""
    return View({}, "")


SCENE_VIEW = ReportView("scene", 1, show_scene, "VIEWS.scene = (data, state, place) => place.remove();")
