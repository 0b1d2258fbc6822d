"""Models by name, with their labels and the preparation of their input."""

from wavelens.models.image import EMBEDDED, Geometry, Normalized, imagenet_labels
from wavelens.models.loaded import LoadedModel, Parts, Preparation
from wavelens.models.loading import FORMS, load
from wavelens.models.options import Options
from wavelens.models.video import VideoGeometry
from wavelens.models.volume import ResNet3D, Voxels
from wavelens.models.weights import Around, CheckpointWarning

__all__ = [
    "EMBEDDED",
    "FORMS",
    "Around",
    "CheckpointWarning",
    "Geometry",
    "LoadedModel",
    "Normalized",
    "Options",
    "Parts",
    "Preparation",
    "ResNet3D",
    "VideoGeometry",
    "Voxels",
    "imagenet_labels",
    "load",
]
