"""Video through pipes: Y4M on standard input and standard output, read and written in one go.

FFmpeg says what a stream of Y4M means, but the bytes are moved here: where FFmpeg waits for a file of Python's, PyAV
loses the KeyboardInterrupt of a Ctrl-C.
"""
