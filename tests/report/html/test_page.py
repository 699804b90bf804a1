"""The page of a report: whole, alone, and safe whatever names and notes are."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from tests.support.run_reports import reported_face, run_report
from vfe.report.html.timeline import lanes_of
from vfe.report.html.write import page
from vfe.report.run_report import ReportedClip, RunReport, Segment
from vfe.report.watch import MOST_PICTURED

VOID = {"meta", "img", "input"}
HOSTILE = "\"><script>alert(1)</script>&amp;'\u202egpj.<img src=x onerror=y>"


class _Reader(HTMLParser):
    """Reads a page: its elements, the words in it, and whether everything that opens is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


def read(report: RunReport) -> _Reader:
    return _Reader(page(report))


REPORTS = {
    "a clip": run_report(faces=(reported_face(1, 0, 12), reported_face(2, 8, 24))),
    "no faces": run_report(faces=()),
    "faces not looked for": run_report(faces=None),
    "a face that was never measured": run_report(faces=(reported_face(1, 0, 2, samples=0),)),
    "an image": run_report(1, (reported_face(1, 0, 1, samples=1),)),
    "a film": run_report(200_000, (reported_face(1, 150_000, 150_001, samples=1),), cuts=tuple(range(50, 200_000, 90))),
}


@pytest.mark.parametrize("report", REPORTS.values(), ids=list(REPORTS))
def test_it_is_one_page_that_needs_nothing_else(report: RunReport) -> None:
    read_page = read(report)
    assert {"h1", "h2", "table"} <= set(read_page.tags)
    assert ("svg" in read_page.tags) == (report.frames > 1)
    assert "script" not in read_page.tags
    sources = [value for name, value in read_page.attributes if name in ("src", "href")]
    assert all(source.startswith("data:image/jpeg;base64,/9j/") for source in sources)
    assert not re.search(r"https?://|url\(|@import", page(report))
    assert ("lang", "en") in read_page.attributes


@pytest.mark.parametrize("report", REPORTS.values(), ids=list(REPORTS))
def test_every_picture_has_its_words(report: RunReport) -> None:
    read_page = read(report)
    words = [value for name, value in read_page.attributes if name in ("alt", "aria-label")]
    assert len(words) >= read_page.tags.count("img") + read_page.tags.count("svg")
    assert all(words)
    assert not re.search(r"\bnan\b|\binf\b|None", read_page.text)


def test_names_and_notes_are_text_and_nothing_else() -> None:
    report = run_report(source=ReportedClip(HOSTILE, 64, 48), notes=(HOSTILE,))
    read_page = read(report)
    assert read_page.text.count("<script>alert(1)</script>") == 3  # the title, the head and the note
    assert "script" not in read_page.tags
    assert "onerror" not in dict(read_page.attributes)


def test_of_very_many_faces_those_seen_longest_are_shown() -> None:
    faces = tuple(reported_face(number, number, 1 + 2 * number, samples=1) for number in range(1, MOST_PICTURED + 31))
    read_page = read(run_report(600, faces))
    assert read_page.tags.count("article") == MOST_PICTURED
    assert "other 30 too" in read_page.text
    assert "Face 230" in read_page.text
    assert "Face 30\n" not in read_page.text


def test_faces_share_a_lane_where_they_do_not_overlap() -> None:
    first, second, third = (reported_face(n, *at) for n, at in ((1, (0, 10)), (2, (5, 20)), (3, (10, 15))))
    assert lanes_of([third, second, first]) == [[first, third], [second]]


def test_segments_of_a_job_are_told() -> None:
    assert "Segments" not in read(run_report()).text
    told = read(run_report(segments=(Segment(0, 12, 1.0), Segment(12, 24, 1.0, (HOSTILE,))))).text
    assert "frames 12\u201323" in told


def test_a_page_of_200_faces_stays_small() -> None:
    faces = tuple(reported_face(number, number, number + 40, samples=24) for number in range(1, 201))
    assert len(page(run_report(400, faces))) < 2_000_000
