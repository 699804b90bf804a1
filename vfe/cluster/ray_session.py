"""The connection to a cluster."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..types import VFEError

AUTO, LOCAL = "auto", "local"
"""Addresses: the cluster that this machine belongs to, or else one of this machine alone; and always the latter."""
_PATIENCE = 10.0  # seconds for the first answer of a cluster
_SHOWN = 200  # characters of what Ray says


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Yield the module of Ray, connected to the cluster at `address`.

    Raises VFEError where Ray is not installed, or there is no cluster at that address.
    """
    try:
        import ray
    except ImportError as error:
        raise VFEError(
            "a cluster needs Ray, which is not installed: pip install 'video-face-enhancement[cluster]'"
        ) from error
    try:
        _connect(ray, address)
    except (RuntimeError, ValueError, OSError, OverflowError) as error:
        said = " ".join(str(error).split())[:_SHOWN]
        raise VFEError(f"no Ray cluster at {address} ({said}); start one with ray start --head") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _connect(ray: Any, address: str) -> None:  # noqa: ANN401 - a module
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal() and "/" not in host:
        socket.create_connection((host, int(port)), _PATIENCE).close()  # Ray itself tries for minutes
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address != LOCAL:
        try:
            ray.init(address=address, **quiet)
        except ConnectionError:
            if address != AUTO:
                raise
        else:
            return
    ray.init(address=LOCAL, include_dashboard=False, **quiet)
