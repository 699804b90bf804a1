"""Kinds of timelines by their names, and packages that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from vfe.timeline import formats
from vfe.timeline.formats import Format, check_installed, format_of
from vfe.types import VFEError


def test_the_kind_is_that_of_the_name() -> None:
    assert [format_of(Path(f"cut{kind.suffix.upper()}")) for kind in Format] == list(Format)


@pytest.mark.parametrize("name", ["cut", "cut.mp4", "cut.otioz", "cut.fcpxml", "cut.aaf"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(VFEError, match=r"is no timeline by its name; needed is \.otio, \.xml, \.edl, \.kdenlive"):
        format_of(Path(name))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    check_installed(*Format)
    monkeypatch.setattr(formats, "find_spec", lambda name: None if name == "otio_fcp_adapter" else object())
    check_installed(Format.OTIO, Format.EDL)
    with pytest.raises(VFEError, match=r'otio_fcp_adapter, which is not installed; run pip install "video-face-'):
        check_installed(Format.FCP_XML, Format.OTIO)
