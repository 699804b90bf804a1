"""Tensor files in and out: safetensors and pickles, strict loading, writing aside."""
