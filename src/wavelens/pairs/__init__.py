"""A signal and its words in one account: by word, by scale and word, and a map for each word."""

from wavelens.pairs.account import PairAccount, TextAccount, pair_accounts
from wavelens.pairs.both import BothSides, both_sides
from wavelens.pairs.by_scale import WordsByScale, words_by_scale
from wavelens.pairs.maps import heats_of, word_maps

__all__ = [
    "BothSides",
    "PairAccount",
    "TextAccount",
    "WordsByScale",
    "both_sides",
    "heats_of",
    "pair_accounts",
    "word_maps",
    "words_by_scale",
]
