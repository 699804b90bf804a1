"""Names of media, of every system and kind of timeline."""

from __future__ import annotations

from pathlib import Path

import pytest

from vfe.timeline.urls import file_url, names_in, path_text, url_like


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///media/a%20b.mov", "/media/a b.mov"),
        ("file://localhost/media/a.mov", "/media/a.mov"),
        ("file://localhost/C%3a/media/a.mov", "C:/media/a.mov"),
        ("file:///D:/media/a.mov", "D:/media/a.mov"),
        ("file://server/share/a.mov", "//server/share/a.mov"),
        ("C:\\media\\a.mov", "C:\\media\\a.mov"),
        ("\\\\server\\share\\a.mov", "\\\\server\\share\\a.mov"),
        ("../media/50%.mov", "../media/50%.mov"),
        ("/media/a#1?.mov", "/media/a#1?.mov"),
        ("https://example.org/a.mov", None),
        ("data:video/mp4;base64,AAAA", None),
        ("", None),
        ("a\0b", None),
    ],
)
def test_the_path_of_a_name(url: str, path: str | None) -> None:
    if not url.startswith("\\\\"):
        assert path_text(url) == path
    else:
        assert path_text(url) is not None


@pytest.mark.parametrize(
    "text", ["C:\\day 1\\cam\\a.mov", "D:/day 1/cam/a.mov", "/day 1/cam/a.mov", "day 1/../cam/a.mov"]
)
def test_the_names_in_a_path_of_any_system(text: str) -> None:
    assert names_in(text)[-2:] == ("cam", "a.mov")
    assert ".." not in names_in(text)


def test_results_are_named_as_the_media_were() -> None:
    path, folder = Path("/cut/new media/a#1.mov"), Path("/cut")
    assert url_like("clips/a.mov", path, folder) == "new media/a#1.mov"
    assert url_like("/clips/a.mov", path, folder) == "/cut/new media/a#1.mov"
    assert url_like("file:///clips/a.mov", path, folder) == "file:///cut/new%20media/a%231.mov"
    assert url_like("file://localhost/clips/a.mov", path, folder) == "file://localhost/cut/new%20media/a%231.mov"


def test_a_url_leads_back_to_its_path() -> None:
    assert path_text(file_url(Path("/a b/50% #1?.mov"))) == "/a b/50% #1?.mov"
