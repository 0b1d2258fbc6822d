"""The project's fuzzer: small valid inputs of every kind, damaged at random, go to what reads them.

`python -m fuzz --cases 3000` in the folder of the tests; `--case 1234` repeats one. A case is known by the seed and its
number alone. Allowed are an answer and one clean sentence, within `SECONDS` and `MEMORY_BYTES`.
"""
