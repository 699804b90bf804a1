"""What the web server of a live run answers: the page, the figures, and the views as MJPEG or as single pictures."""

from __future__ import annotations

import ipaddress
import json
import socket
import sys
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

from .views import VIEWS, Jpeg, Views

SEND_BUFFER = 1 << 17
"""Bytes that the system keeps for a reader: a picture or a few, so that a slow one does not see the past."""
PATIENCE = 10.0
"""Seconds after which a reader that takes nothing is let go."""
BOUNDARY = "vfe-frame"
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""What every answer says: no other web page may show or read what the camera sees."""
PAGE_POLICY = (
    "default-src 'none'; img-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
)

Figures = Callable[[], Mapping[str, object]]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = sys.platform != "win32"  # of a run that has just ended; Windows takes it for sharing

    def __init__(self, address: tuple[str, int], views: Views, figures: Figures) -> None:
        self.views, self.figures = views, figures
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A reader that has gone is no error of ours; others are shown as they always are."""
        if not isinstance(sys.exception() if hasattr(sys, "exception") else sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Handler(BaseHTTPRequestHandler):
    server: Server
    server_version, sys_version = "vfe", ""
    timeout = PATIENCE

    def do_GET(self) -> None:
        """Answer with the page, the figures, a view or one picture of it."""
        if not self._is_asked_by_its_name():
            self._answer(403, "text/plain", b"this address is for this machine alone\n")
            return
        path = self.path.partition("?")[0]
        view, _, kind = path.removeprefix("/").partition(".")
        if path == "/":
            page = (files(__package__) / "page.html").read_bytes()
            self._answer(200, "text/html; charset=utf-8", page, {"Content-Security-Policy": PAGE_POLICY})
        elif path == "/figures.json":
            self._answer(200, "application/json", json.dumps(self.server.figures()).encode())
        elif view in VIEWS and kind in ("mjpg", "jpg"):
            self._look(view, is_stream=kind == "mjpg")
        else:
            self._answer(404, "text/plain", b"no such page\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: ANN401 - the base class calls it so
        """Say nothing: the terminal has a line of its own."""

    def _look(self, view: str, *, is_stream: bool) -> None:
        if not self.server.views.enter(view):
            self._answer(503, "text/plain", b"too many readers\n")
            return
        try:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            if is_stream:
                self._stream(view)
            elif (newest := self.server.views.after(view, -1)) is not None:
                self._answer(200, "image/jpeg", newest.content, _about(newest))
        finally:
            self.server.views.leave(view)

    def _stream(self, view: str) -> None:
        """Send one picture after another until the run ends or the reader goes."""
        self.close_connection = True
        self._head(200, f"multipart/x-mixed-replace; boundary={BOUNDARY}", {})
        self.wfile.write(f"--{BOUNDARY}\r\n".encode())
        number = -1
        while (newest := self.server.views.after(view, number)) is not None:
            number = newest.number
            head = {"Content-Type": "image/jpeg", "Content-Length": str(len(newest.content))} | _about(newest)
            lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
            # The boundary follows at once, for browsers show a picture when they see it.
            self.wfile.write(f"{lines}\r\n".encode() + newest.content + f"\r\n--{BOUNDARY}\r\n".encode())

    def _answer(self, code: int, kind: str, content: bytes, more: Mapping[str, str] | None = None) -> None:
        self._head(code, kind, {"Content-Length": str(len(content))} | dict(more or {}))
        self.wfile.write(content)

    def _head(self, code: int, kind: str, more: Mapping[str, str]) -> None:
        self.send_response(code)
        for name, value in {"Content-Type": kind, **HEADERS, **more}.items():
            self.send_header(name, value)
        self.end_headers()

    def _is_asked_by_its_name(self) -> bool:
        """Whether a server on loopback is asked by a name of loopback.

        Another name comes from a web page that has had its own name lead here, to read what it may not.
        """
        if not is_loopback(str(self.server.server_address[0])):
            return True
        name = self.headers.get("Host", "").rpartition(":")[0].strip("[]") or self.headers.get("Host", "")
        if name == "localhost":
            return True
        try:
            return is_loopback(name)
        except ValueError:
            return False


def _about(newest: Jpeg) -> dict[str, str]:
    """Return what headers say of a picture: the number of its frame, and when that was taken by the monotonic clock."""
    return {"X-Frame": str(newest.number), "X-Taken": f"{newest.taken:.6f}"}


def is_loopback(host: str) -> bool:
    """Whether an address in numbers is one of this machine alone."""
    return ipaddress.ip_address(host).is_loopback
