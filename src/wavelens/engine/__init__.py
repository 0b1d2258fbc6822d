"""Asking a model: values and input gradients in chunks that fit memory, the model frozen and given back as it was."""
