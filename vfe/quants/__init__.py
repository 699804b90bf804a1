"""Numbers packed in blocks of a few bits, as GGUF files have them, and how to unpack them."""
