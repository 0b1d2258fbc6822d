"""Explanations as one HTML file that opens anywhere: no server, no network, nothing beside it."""

from wavelens.reports.entry import Chance, Entry, entries
from wavelens.reports.page import GENERATOR, Section, page, report, section, write_page
from wavelens.reports.sounds import sounds

__all__ = ["GENERATOR", "Chance", "Entry", "Section", "entries", "page", "report", "section", "sounds", "write_page"]
