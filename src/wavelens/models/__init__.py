"""Models by name, with their labels and the preparation of their input."""

from wavelens.models.answers import Objects, Regions
from wavelens.models.black_box import BlackBox
from wavelens.models.detector import detector
from wavelens.models.labels import imagenet_labels
from wavelens.models.loaded import LoadedModel, Parts, Preparation
from wavelens.models.loading import FORMS, load
from wavelens.models.networks.efficientnet_lite import EMBEDDED
from wavelens.models.networks.pointnet import PointNet
from wavelens.models.networks.resnet3d import ResNet3D
from wavelens.models.options import Options
from wavelens.models.pairs import Pair, Tokens, TwoTowers, Word
from wavelens.models.preparations.audio import Sampling, Windowed
from wavelens.models.preparations.cloud import Points
from wavelens.models.preparations.fitted import Fitted
from wavelens.models.preparations.flexible import Patches
from wavelens.models.preparations.image import Geometry, Normalized
from wavelens.models.preparations.raster import Bands
from wavelens.models.preparations.resolutions import Resolutions
from wavelens.models.preparations.series import Traces
from wavelens.models.preparations.text import TextWindows, TokenEmbeddings
from wavelens.models.preparations.video import VideoGeometry
from wavelens.models.preparations.volume import Voxels
from wavelens.models.prompts import PromptHead, load_pair, prompted
from wavelens.models.sources.onnx import Onnx
from wavelens.models.weights import Around, CheckpointWarning

__all__ = [
    "EMBEDDED",
    "FORMS",
    "Around",
    "Bands",
    "BlackBox",
    "CheckpointWarning",
    "Fitted",
    "Geometry",
    "LoadedModel",
    "Normalized",
    "Objects",
    "Onnx",
    "Options",
    "Pair",
    "Parts",
    "Patches",
    "PointNet",
    "Points",
    "Preparation",
    "PromptHead",
    "Regions",
    "ResNet3D",
    "Resolutions",
    "Sampling",
    "TextWindows",
    "TokenEmbeddings",
    "Tokens",
    "Traces",
    "TwoTowers",
    "VideoGeometry",
    "Voxels",
    "Windowed",
    "Word",
    "detector",
    "imagenet_labels",
    "load",
    "load_pair",
    "prompted",
]
