"""Detectors as differentiable functions of a picture: all that they consider, before anything is left out."""
