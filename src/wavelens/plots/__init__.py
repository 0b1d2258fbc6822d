"""Figures of explanations, drawn with matplotlib from what `wavelens.maps` computes."""

from wavelens.plots.accounts import add_accounts
from wavelens.plots.bands import bands
from wavelens.plots.by_scale import by_scale
from wavelens.plots.cloud import cloud
from wavelens.plots.comparison import mean_curves
from wavelens.plots.decomposed import decomposed
from wavelens.plots.evidence import add_evidence
from wavelens.plots.marginal import marginal
from wavelens.plots.methods import add_methods
from wavelens.plots.minimal import minimal
from wavelens.plots.over_photo import over_photo
from wavelens.plots.panel import panel, save, show
from wavelens.plots.parts import common_scale
from wavelens.plots.profiles import mean_profiles
from wavelens.plots.resolutions import resolutions
from wavelens.plots.rose import rose
from wavelens.plots.scene import scene
from wavelens.plots.series import traces
from wavelens.plots.sides import add_sides
from wavelens.plots.sound import sound
from wavelens.plots.text import words
from wavelens.plots.thumbnail import thumbnail
from wavelens.plots.tiles import tiled
from wavelens.plots.video import film, overlay
from wavelens.plots.volume import montage, slices

__all__ = [
    "add_accounts",
    "add_evidence",
    "add_methods",
    "add_sides",
    "bands",
    "by_scale",
    "cloud",
    "common_scale",
    "decomposed",
    "film",
    "marginal",
    "mean_curves",
    "mean_profiles",
    "minimal",
    "montage",
    "over_photo",
    "overlay",
    "panel",
    "resolutions",
    "rose",
    "save",
    "scene",
    "show",
    "slices",
    "sound",
    "thumbnail",
    "tiled",
    "traces",
    "words",
]
