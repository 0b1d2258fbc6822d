"""Point clouds and meshes by their vertices, from the formats of scanning, modelling and tables."""

from wavelens.frontends.clouds.cloud import UNKNOWN_UNIT, Cloud
from wavelens.frontends.clouds.reading import SUFFIXES, cloud_cost, clouds_inside, is_cloud, read_cloud, write_cloud

__all__ = ["SUFFIXES", "UNKNOWN_UNIT", "Cloud", "cloud_cost", "clouds_inside", "is_cloud", "read_cloud", "write_cloud"]
