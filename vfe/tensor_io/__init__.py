"""Reading and writing files of tensors: safetensors and pickles, strict loading, files that describe themselves."""
