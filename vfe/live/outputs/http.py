"""A page in the browser that shows the stream and how it goes, and the stream itself as MJPEG, for other programs."""

from __future__ import annotations

from ...types import VFEError
from ..frame import ShownFrame
from ..thread import Work
from .server import Figures, Server, is_loopback
from .threaded import ThreadedOutput
from .views import Views


class HttpOutput(ThreadedOutput):
    """A server of the page, of the figures and of the views, on loopback unless another address is asked for."""

    def __init__(self, host: str, port: int, figures: Figures) -> None:
        """Raises VFEError where the port is taken or the address is none of this machine."""
        self._views = Views()
        try:
            self._server = Server((host, port), self._views, figures)
        except (OSError, OverflowError) as error:
            said = getattr(error, "strerror", None) or error
            raise VFEError(
                f"http://{host}:{port}: cannot be served ({said})",
                command=f"choose another port, as in -o http://{host}:{port + 1}",
            ) from error
        self._listener = Work(lambda: self._server.serve_forever(poll_interval=0.1))
        self._listener.start()
        super().__init__()

    @property
    def where(self) -> str:
        """The address of the page."""
        host, port = self._server.server_address[:2]
        return f"http://{_bracketed(str(host))}:{port}/"

    @property
    def is_open_to_others(self) -> bool:
        """Whether other machines can look."""
        return not is_loopback(str(self._server.server_address[0]))

    def close(self) -> None:
        """Let all readers go, and free the port."""
        super().close()
        self._server.shutdown()
        self._server.server_close()

    def _send(self, shown: ShownFrame) -> None:
        self._views.update(shown)

    def _end(self) -> None:
        self._views.close()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
