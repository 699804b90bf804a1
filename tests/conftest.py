"""Fixtures that several test modules share."""

from tests.comfy_server import comfy_server

__all__ = ["comfy_server"]
