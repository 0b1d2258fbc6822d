"""Classifiers by name from the libraries that have them."""
