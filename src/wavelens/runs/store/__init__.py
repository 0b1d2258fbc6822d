"""What a run writes: its manifest and its shards, and how both are read again."""
