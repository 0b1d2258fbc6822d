"""From files to signals, one kind of signal a file."""

from wavelens.frontends.image import read_image

__all__ = ["read_image"]
