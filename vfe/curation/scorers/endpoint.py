"""An endpoint as OpenAI's, spoken to by urllib: vLLM, llama.cpp, Ollama and others serve one.

Faces are personal data. A host that is not this machine has to be allowed, nothing is sent on to where a redirect
points, and no proxy is used on the way to this machine.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ...tensor_io.source import printable
from ...types import VFEError
from .conversation import NoAnswer

KEY_VARIABLE = "VFE_CURATE_KEY"
"""The environment variable with the endpoint's key; keys are in no file and in no option."""
LARGEST_REPLY = 4 << 20
"""Bytes of a reply that are read."""
NOT_MENDED_BY_ASKING_AGAIN = {
    401: f"set {KEY_VARIABLE} to a key that it takes",
    403: f"set {KEY_VARIABLE} to a key that it takes",
    404: "check the address and the model's name",
}


@dataclass(frozen=True, kw_only=True)
class EndpointConfig:
    """Where a model answers. Raises VFEError for an address that is none or must not be used."""

    model: str
    """The name that the endpoint has for it."""
    base: str = "http://127.0.0.1:8000"
    """The address up to /v1; the default is vLLM's."""
    remote: bool = False
    """Frames of faces may leave this machine."""
    timeout: float = 120.0
    """Seconds for one answer."""

    def __post_init__(self) -> None:
        try:
            address = urlsplit(self.base)
            host = address.hostname
            _ = address.port  # raises ValueError for one that is no number
        except ValueError as error:
            raise VFEError(f"{self.base!r} is no address: {error}; give one as http://127.0.0.1:8000") from error
        if address.scheme not in ("http", "https") or not host:
            raise VFEError(f"{self.base!r} is no address; give one as http://127.0.0.1:8000")
        if address.username is not None or address.query or address.fragment:
            raise VFEError(f"the address of {host} has more than a host and a path; a key goes into {KEY_VARIABLE}")
        if not self.remote and not is_this_machine(host):
            raise VFEError(f"{host} is not this machine, and faces are personal data; give --remote to send them there")
        if not self.model or self.timeout <= 0:
            raise VFEError(f"model {self.model!r}, timeout {self.timeout}: needed a name, and seconds above 0")

    @property
    def address(self) -> str:
        """The address that questions go to."""
        base = self.base.rstrip("/").removesuffix("/v1")
        return f"{base}/v1/chat/completions"


def is_this_machine(host: str) -> bool:
    """Return whether a host is a loopback address or `localhost`. Other names are not looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Endpoint:
    """Sends questions to an endpoint and reads the answers. Raises VFEError for a key that no header can hold."""

    def __init__(self, config: EndpointConfig) -> None:
        self.config = config
        self._key = os.environ.get(KEY_VARIABLE, "").strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise VFEError(f"{KEY_VARIABLE} has letters in it that no key has; set it again")
        host = urlsplit(config.base).hostname
        assert host  # the config has looked
        proxies = urllib.request.ProxyHandler({} if is_this_machine(host) else None)
        self._opener = urllib.request.build_opener(proxies, _NoRedirect())

    def ask(self, body: dict[str, Any]) -> str:
        """Return the text of the answer to a body of /v1/chat/completions.

        Raises NoAnswer where none comes, and VFEError where the endpoint does not take the key or the model.
        """
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self.config.address, json.dumps(body).encode(), headers, method="POST")
        until = time.monotonic() + self.config.timeout
        try:
            with self._opener.open(request, timeout=self.config.timeout) as reply:
                return _text_of(self._read(reply, until))
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error, until) from None
        except TimeoutError as error:
            raise NoAnswer(f"no answer within {self.config.timeout:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(f"{self._shown} does not answer: {printable(getattr(error, 'reason', error))}") from error

    @property
    def _shown(self) -> str:
        address: SplitResult = urlsplit(self.config.base)
        return address.netloc

    def _read(self, reply: http.client.HTTPResponse | urllib.error.HTTPError, until: float) -> bytes:
        """The body of a reply, as long as it comes in time and is of a sensible size."""
        parts, size = [], 0
        while part := reply.read1(64 << 10):
            parts.append(part)
            size += len(part)
            if size > LARGEST_REPLY:
                raise NoAnswer(f"{self._shown} answers with more than {LARGEST_REPLY >> 20} MiB")
            if time.monotonic() > until:
                raise TimeoutError
        return b"".join(parts)

    def _refusal(self, error: urllib.error.HTTPError, until: float) -> Exception:
        """What to raise for an HTTP status that is no success. The key is not repeated."""
        if 300 <= error.code < 400:
            place = printable(error.headers.get("Location", "nowhere"), 200)
            return NoAnswer(
                f"{self._shown} redirects to {place}, which is not followed; give that address if it is right"
            )
        try:
            text = self._read(error, until).decode(errors="replace")
        except (OSError, http.client.HTTPException, NoAnswer):
            text = ""
        if self._key:
            text = text.replace(self._key, "(the key)")
        said = f"{self._shown} answers HTTP {error.code}: {printable(' '.join(text.split()), 200)}"
        if error.code in NOT_MENDED_BY_ASKING_AGAIN:
            return VFEError(f"{said}; {NOT_MENDED_BY_ASKING_AGAIN[error.code]}")
        return NoAnswer(said)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the frames would go to where nobody allowed them to."""

    def redirect_request(self, *_: object) -> None:
        return None


def _text_of(body: bytes) -> str:
    """The text of the first choice of a completion. Raises NoAnswer where there is none."""
    try:
        choice = json.loads(body)["choices"][0]
        content = choice["message"]["content"]
    except (ValueError, RecursionError, LookupError, TypeError) as error:
        raise NoAnswer("the reply is no completion as of OpenAI's API") from error
    if isinstance(content, list):  # some servers answer in parts
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    if not isinstance(content, str) or not content.strip():
        raise NoAnswer(f"the answer is empty (finish_reason {printable(choice.get('finish_reason'))})")
    return content
