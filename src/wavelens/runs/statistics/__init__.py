"""Means, intervals and profiles over the items of runs, and their tables."""
