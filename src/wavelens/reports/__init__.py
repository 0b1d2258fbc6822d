"""Explanations as one HTML file that opens anywhere: no server, no network, nothing beside it."""

from wavelens.reports.entry import Chance, Detected, Entry, entries
from wavelens.reports.page import GENERATOR, Section, page, report, section, write_page
from wavelens.reports.sounds import sounds
from wavelens.reports.views import (
    CLOUD_VIEW,
    PHOTO_VIEW,
    SCENE_VIEW,
    SERIES_VIEW,
    SOUND_VIEW,
    TEXT_VIEW,
    TILES_VIEW,
    VIDEO_VIEW,
    VOLUME_VIEW,
    ReportView,
    View,
    packed_maps,
)

__all__ = [
    "CLOUD_VIEW",
    "GENERATOR",
    "PHOTO_VIEW",
    "SCENE_VIEW",
    "SERIES_VIEW",
    "SOUND_VIEW",
    "TEXT_VIEW",
    "TILES_VIEW",
    "VIDEO_VIEW",
    "VOLUME_VIEW",
    "Chance",
    "Detected",
    "Entry",
    "ReportView",
    "Section",
    "View",
    "entries",
    "packed_maps",
    "page",
    "report",
    "section",
    "sounds",
    "write_page",
]
