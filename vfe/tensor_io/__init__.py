"""Files of tensors, read and written: safetensors, GGUF, pickles; strict loading; files that describe themselves."""
