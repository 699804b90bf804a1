"""A server on the loopback that answers as an endpoint of OpenAI's API does, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

GOOD: dict[str, Any] = {
    "detail": 92,
    "stability": 88,
    "lighting": 95,
    "artefacts": 90,
    "occlusion": 100,
    "bonus": 0,
    "penalty": 0,
    "why": "Lashes are seen.",
}


@dataclass(frozen=True)
class Reply:
    """What the server does with one question."""

    text: str = json.dumps(GOOD)
    """What the model says."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    wait: float = 0.0
    """Seconds before it answers."""
    drip: float = 0.0
    """Seconds between the bytes of the body."""
    body: bytes | None = None
    """The whole body, instead of a completion with the text."""

    @property
    def sent(self) -> bytes:
        completion = {"choices": [{"message": {"role": "assistant", "content": self.text}, "finish_reason": "stop"}]}
        return json.dumps(completion).encode() if self.body is None else self.body


@dataclass(frozen=True)
class Question:
    """A request that came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class FakeEndpoint:
    """Where it listens, what it still answers (the last reply for ever), and the questions so far."""

    base: str
    replies: list[Reply]
    questions: list[Question] = field(default_factory=list)


@contextmanager
def fake_endpoint(*replies: Reply) -> Iterator[FakeEndpoint]:
    """Serve replies, one for each question, while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.fake = FakeEndpoint(f"http://127.0.0.1:{server.server_port}", list(replies))  # type: ignore[attr-defined]
    server.stop = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.fake  # type: ignore[attr-defined]
    finally:
        server.stop.set()  # type: ignore[attr-defined]
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        fake: FakeEndpoint = self.server.fake  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fake.questions.append(Question(self.path, dict(self.headers), body))
        reply = fake.replies.pop(0) if len(fake.replies) > 1 else fake.replies[0]
        self.server.stop.wait(reply.wait)  # type: ignore[attr-defined]
        try:
            self._send(reply)
        except (BrokenPipeError, ConnectionResetError):
            pass  # nobody waits any more

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.sent)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if not reply.drip:
            self.wfile.write(reply.sent)
            return
        for byte in reply.sent:
            if self.server.stop.is_set():  # type: ignore[attr-defined]
                return
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(reply.drip)

    def do_GET(self) -> None:
        self.send_error(405)

    def log_message(self, *_: object) -> None:
        pass
