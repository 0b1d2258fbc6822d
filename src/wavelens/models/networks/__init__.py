"""Networks that are written or loaded here by a name of their own."""
