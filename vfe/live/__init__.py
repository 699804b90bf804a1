"""Faces restored while they are filmed: a camera or a stream in, a stream at its rate and with a bounded delay out."""
