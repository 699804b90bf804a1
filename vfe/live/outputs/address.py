"""Where outputs go, as people write it: http, http://HOST:PORT, udp://HOST:PORT, srt://HOST:PORT, virtual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"
HTTP_PORT = 8090
STREAMS = ("udp", "srt")
"""The protocols that carry an MPEG-TS."""

Kind = Literal["http", "stream", "virtual"]


@dataclass(frozen=True)
class Address:
    """Where an output goes."""

    kind: Kind
    host: str = LOOPBACK
    port: int = HTTP_PORT
    name: str = ""
    """The whole address of a stream; the name of a virtual camera, or "" for the first that there is."""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an address. Raises ValueError, in one line, for another text."""
        word, colon, name = text.partition(":")
        if word == "virtual":
            return cls("virtual", name=name)
        if text == "http":
            return cls("http")
        parts = urlsplit(text)
        if colon and parts.scheme in ("http", *STREAMS) and parts.hostname:
            port = parts.port  # raises ValueError where it is none
            if parts.scheme == "http" and parts.path in ("", "/"):
                return cls("http", parts.hostname, HTTP_PORT if port is None else port)
            if parts.scheme in STREAMS and port:
                return cls("stream", parts.hostname, port, text)
        raise ValueError(
            f"{text!r} is no output, needed is http, http://HOST:PORT, udp://HOST:PORT, srt://HOST:PORT or virtual"
        )
