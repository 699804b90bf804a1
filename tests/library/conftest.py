"""The fixture that the tests of models to download share."""

from __future__ import annotations

import pytest

from tests.support.fake_hub import Hub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    """A stand-in for the Hugging Face hub, in its place."""
    huggingface_hub = pytest.importorskip("huggingface_hub")
    hub = Hub()
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", hub.get_hf_file_metadata)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hub.hf_hub_download)
    return hub
