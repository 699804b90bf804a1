"""`vfe conform` of FCP7 XML as Premiere writes it: curves of speed, clips and tracks that are off, names of Windows."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("opentimelineio", reason="OpenTimelineIO is not installed here")


from tests.support.cli_run import run_vfe, use_stand_in
from tests.support.timelines import Tape, grey_pictures, media_of, numbers_of, span, write_tape
from vfe.timeline.files import read_timeline

XML = """<?xml version="1.0"?><!DOCTYPE xmeml><xmeml version="5"><sequence id="s"><name>S</name><duration>30</duration>
<rate><timebase>25</timebase><ntsc>FALSE</ntsc></rate><media><video><track>
<clipitem id="c1"><name>fast</name><masterclipid>m1</masterclipid><duration>50</duration>
<rate><timebase>25</timebase><ntsc>FALSE</ntsc></rate><start>0</start><end>10</end><in>12</in><out>22</out>
<file id="f1"><name>T.mov</name><pathurl>file://localhost/D%3a/Media/T.mov</pathurl>
<rate><timebase>25</timebase><ntsc>FALSE</ntsc></rate><duration>120</duration></file>
<filter><effect><name>Time Remap</name><effectid>timeremap</effectid><effecttype>motion</effecttype></effect></filter>
</clipitem>
<clipitem id="c2"><name>off</name><enabled>FALSE</enabled><duration>50</duration>
<rate><timebase>25</timebase><ntsc>FALSE</ntsc></rate><start>10</start><end>20</end><in>5</in><out>15</out>
<file id="f1"/></clipitem></track>
<track><enabled>FALSE</enabled><clipitem id="c3"><name>other</name><duration>50</duration>
<rate><timebase>25</timebase><ntsc>FALSE</ntsc></rate><start>10</start><end>20</end><in>5</in><out>15</out>
<file id="f1"/></clipitem></track></video></media></sequence></xmeml>"""


def test_xml_as_premiere_writes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A curve of speed reads any frame, and its clip keeps its place in the file; what is off stays as it is."""
    write_tape(tmp_path / "T.mov", Tape(frames=120))
    (tmp_path / "cut.xml").write_text(XML)
    (folder := tmp_path / "models").mkdir()
    line = ("conform", tmp_path / "cut.xml", "--model", use_stand_in(monkeypatch, folder), "--media-root", tmp_path)
    run = run_vfe(capsys, *line, "--strength", 0, "--crf", 0)
    assert (run.code, run.err) == (0, "")
    assert "left as it is, is switched off: off" in run.out
    first, second, third = read_timeline(tmp_path / "cut.restored.xml").find_clips()
    assert media_of(tmp_path / "cut.xml", first).name == "T.0-119.mov"
    assert (first.source_range, first.metadata["fcp_xml"].get("masterclipid")) == (span(12, 10), None)
    assert [clip.media_reference.target_url[-14:] for clip in (second, third)] == ["D%3a/Media/T.mov"[-14:]] * 2
    assert numbers_of(grey_pictures(media_of(tmp_path / "cut.xml", first))) == list(range(120))
