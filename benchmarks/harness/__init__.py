"""What the benchmarks share: arguments, interleaved times, memory, intervals, rows that resume, records and tables."""
