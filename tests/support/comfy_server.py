"""A real ComfyUI server for the tests: the checkout that `comfy_checkout` finds, on the CPU, with this pack alone.

The tests must run under the Python that ComfyUI runs under; without the one or the other they skip and say what lacks.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.comfy_checkout import comfyui_checkout
from tests.support.paths import ROOT

PACK = "video-face-enhancement"
START_SECONDS = 300  # on a busy machine the import of torch alone takes a minute
RUN_SECONDS = 600
TEXT = 3
"""What ComfyUI's binary messages with a text for a node begin with."""
PICTURE = "picture"

Json = Any
Graph = dict[str, dict[str, Any]]
"""Nodes as /prompt takes them: {id: {"class_type", "inputs"}}."""


@dataclass
class Run:
    """What a prompt came to."""

    prompt_id: str
    events: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)
    """(seconds since the prompt was sent, type, data) of each message of the websocket."""
    previews: list[bytes] = field(default_factory=list)
    """The pictures that came while it ran, each with ComfyUI's 8 bytes before it."""
    lines: list[str] = field(default_factory=list)
    """What nodes said while it ran, "node: text", and where a picture came, PICTURE."""
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What each output node told the page."""
    status: str = ""
    """ "success" or "error", also after an interrupt."""

    def all_of(self, kind: str) -> list[dict[str, Any]]:
        """Data of the messages of one type."""
        return [data for _, event, data in self.events if event == kind]

    def take(self, message: bytes) -> None:
        """Note a message that is no JSON: 4 bytes that say what it is, and for a text 4 more that say how long the
        node's number before it is."""
        kind, length = (int.from_bytes(message[at : at + 4], "big") for at in (0, 4))
        if kind == TEXT:
            self.lines.append(f"{message[8 : 8 + length].decode()}: {message[8 + length :].decode()}")
        else:
            self.previews.append(message)
            self.lines.append(PICTURE)

    @property
    def error(self) -> str:
        """The message of the node that failed; empty if none did."""
        return "".join(data["exception_message"] for data in self.all_of("execution_error"))


class RefusedPrompt(Exception):
    """The server did not take the prompt; its argument is the answer with the errors of the nodes."""


@dataclass
class ComfyServer:
    """A running server and its folders."""

    url: str
    base: Path
    """Holds custom_nodes, input, output, temp, models and user."""
    pid: int

    def get(self, path: str) -> Json:
        """JSON from a GET."""
        return json.loads(self.text(path))

    def text(self, path: str) -> str:
        """Text from a GET."""
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return str(answer.read(), "utf-8")

    def post(self, path: str, data: dict[str, Any]) -> Json:
        """JSON, or None, from a POST. Raises RefusedPrompt for a 400."""
        body, kind = json.dumps(data).encode(), {"Content-Type": "application/json"}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, body, kind), timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise RefusedPrompt(json.loads(error.read())) from error
        return json.loads(text) if text else None

    def interrupt(self) -> None:
        """Stop what runs."""
        self.post("/interrupt", {})

    def wait_until_idle(self, seconds: float = RUN_SECONDS) -> None:
        """Until nothing runs or waits: the page has the outputs of a node before all others have run."""
        deadline = time.monotonic() + seconds
        while any(self.get("/queue").values()):
            assert time.monotonic() < deadline, f"the queue is not empty after {seconds} s"
            time.sleep(0.1)

    def free(self) -> None:
        """What the page's "Unload Models" and "Free memory" send."""
        self.post("/free", {"unload_models": True, "free_memory": True})

    def run(self, graph: Graph, on_event: Callable[[str, dict[str, Any]], None] | None = None) -> Run:
        """Queue a prompt, wait for its end and return what it came to; `on_event` sees each message as it comes.

        Raises RefusedPrompt where the server does not take it.
        """
        with ThreadPoolExecutor(1) as pool:  # a thread of its own: Playwright keeps an event loop in the main one
            return pool.submit(lambda: asyncio.run(self._run(graph, on_event))).result(RUN_SECONDS)

    async def _run(self, graph: Graph, on_event: Callable[[str, dict[str, Any]], None] | None) -> Run:
        import aiohttp

        client = os.urandom(8).hex()
        async with aiohttp.ClientSession() as session:
            address = f"{self.url.replace('http', 'ws')}/ws?clientId={client}"
            async with session.ws_connect(address, max_msg_size=0) as socket_:
                sent = time.monotonic()
                run = Run(self.post("/prompt", {"prompt": graph, "client_id": client})["prompt_id"])
                async for message in socket_:
                    if message.type == aiohttp.WSMsgType.BINARY:
                        run.take(message.data)
                        continue
                    event = json.loads(message.data)
                    data = event["data"]
                    run.events.append((time.monotonic() - sent, event["type"], data))
                    if on_event:
                        on_event(event["type"], data)
                    if event["type"] == "executing" and data["node"] is None and data["prompt_id"] == run.prompt_id:
                        break
        entry = self.get(f"/history/{run.prompt_id}")[run.prompt_id]
        run.outputs, run.status = entry["outputs"], entry["status"]["status_str"]
        return run


@pytest.fixture(scope="session")
def comfy_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyServer]:
    """A server that runs until the tests end."""
    checkout = comfyui_checkout()
    base = tmp_path_factory.mktemp("comfyui")
    for name in ("custom_nodes", "input", "models", "user"):
        (base / name).mkdir()
    (base / "custom_nodes" / PACK).symlink_to(ROOT, target_is_directory=True)
    port = _free_port()
    command = [sys.executable, "-B", str(checkout / "main.py"), "--cpu", "--port", str(port), "--base-directory"]
    command += [str(base), "--database-url", "sqlite:///:memory:", "--disable-auto-launch", "--disable-api-nodes"]
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(128 << 10)}  # what is freed goes back: leaks are seen
    with (base / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=base, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        server = ComfyServer(f"http://127.0.0.1:{port}", base, process.pid)
        _wait_for(server, process)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(server: ComfyServer, process: subprocess.Popen[bytes]) -> None:
    """Until it answers; fails with the end of its log when it dies or does not."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            server.get("/system_stats")
            return
        except OSError:
            time.sleep(0.2)
    end = (server.base / "server.log").read_text(errors="replace")[-3000:]
    pytest.fail(f"ComfyUI did not start:\n{end}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port
