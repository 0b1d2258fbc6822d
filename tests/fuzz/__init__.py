"""The project's fuzzer: small valid inputs of every kind, damaged at random, go to what reads them.

`make fuzz` carries out 3,000 cases, `make fuzz CASE=12` one of them again and leaves what it read in `tests/fuzz-case`.
A case is known by the seed and its number alone. Allowed are an answer and one clean sentence, within `SECONDS` and
`MEMORY_BYTES`.
"""
