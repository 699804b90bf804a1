"""Data sets as they were published, on made-up trees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vfe.curation.layouts import LayoutName, find_sources
from vfe.curation.sources import Part, Region, Source, Sources
from vfe.types import VFEError


def touch(root: Path, *names: str) -> None:
    """Make files of these names; only names are looked at."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def found(root: Path, layout: LayoutName, *, frames: bool = False) -> Sources:
    return find_sources([root], layout, root / "out", frames=frames)


def by_name(sources: Sources) -> dict[str, Source]:
    return {source.path.name: source for source in sources.sources}


def test_any_folder_has_videos_and_portraits_at_any_depth(tmp_path: Path) -> None:
    touch(
        tmp_path, "a.mp4", "deep/er/b.mkv", "faces/1.png", "faces/old/2.jpg", "readme.txt", ".hidden.mp4", "out/c.mp4"
    )
    kinds = {source.name: source.kind for source in found(tmp_path, "folder").sources}
    assert kinds == {
        f"{tmp_path.name}/a.mp4": "hq_video",
        f"{tmp_path.name}/deep/er/b.mkv": "hq_video",
        f"{tmp_path.name}/faces/1.png": "hq_image",
        f"{tmp_path.name}/faces/old/2.jpg": "hq_image",
    }


def test_folders_of_images_are_clips_where_that_is_said(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "clip/1.png", "clip/2.png")
    sources = found(tmp_path, "folder", frames=True).sources
    assert {source.path.name: source.kind for source in sources} == {"a.mp4": "hq_video", "clip": "hq_video"}


def test_a_folder_of_portraits_alone_is_one_of_portraits(tmp_path: Path) -> None:
    touch(tmp_path, "1.png", "2.png")
    assert [source.kind for source in found(tmp_path, "folder").sources] == ["hq_image", "hq_image"]


def test_what_is_given_twice_is_taken_once(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    assert len(find_sources([tmp_path, tmp_path / "a.mp4"], "folder", tmp_path / "out").sources) == 1


def test_vfhq_has_a_text_for_each_clip(tmp_path: Path) -> None:
    touch(tmp_path, "videos/Train/abc-1.webm")
    texts = {"Clip+abc-1+P0+C1+F100-240": "H 1080\nW 1920\nFPS 25.0\nCROP 674 122 1346 794\n",
             "Clip+abc-1+P0+C0+F10-90": "FPS 25.0\nH 720\nW 1280\nCROP 0 0 300 300\n",
             "Clip+gone+P0+C0+F10-90": "H 720\nW 1280\nCROP 0 0 300 300\n",
             "Clip+abc-1+P1+C0+F300-390": "H 720\nW 1280\nCROP 0 0 many 300\n"}  # fmt: skip
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_text(text)
    sources = found(tmp_path, "vfhq")
    (source,) = sources.sources
    assert source.parts == (
        Part(11, 90, "frames", Region((0, 0, 300, 300), (1280, 720))),
        Part(101, 240, "frames", Region((674, 122, 1346, 794), (1920, 1080))),
    )
    assert [Path(name).name for name, _ in sources.unread] == ["Clip+abc-1+P1+C0+F300-390.txt"]
    assert sources.notes == (f"1 of 4 clips of {tmp_path} have no video here",)


def test_vfhq_without_texts_is_folders_of_frames(tmp_path: Path) -> None:
    touch(tmp_path, *(f"VFHQ/Clip+abc+P0+C{clip}+F1-3/0000000{n}.png" for clip in (0, 1) for n in (0, 1)))
    assert sorted(by_name(found(tmp_path, "vfhq"))) == ["Clip+abc+P0+C0+F1-3", "Clip+abc+P0+C1+F1-3"]


def test_celebv_hq_has_one_list(tmp_path: Path) -> None:
    touch(tmp_path, "raw/M2O.mp4", "processed/xyz_0.mp4")
    box = {"top": 0.0, "bottom": 0.9, "left": 0.2, "right": 0.7}
    clips = {
        "M2O_1": {"ytb_id": "M2O", "duration": {"start_sec": 81.62, "end_sec": 86.17}, "bbox": box},
        "M2O_0": {"ytb_id": "M2O", "duration": {"start_sec": 3, "end_sec": 5.5}, "bbox": box},
        "xyz_0": {"ytb_id": "xyz", "duration": {"start_sec": 3, "end_sec": 5.5}, "bbox": box},
        "gone_0": {"ytb_id": "gone", "duration": {"start_sec": 3, "end_sec": 5.5}, "bbox": box},
        "bad_0": {"ytb_id": "M2O", "duration": {"start_sec": "x", "end_sec": 5.5}, "bbox": box},
        "bad_1": [],
    }
    (tmp_path / "celebvhq_info.json").write_text(json.dumps({"meta_info": {}, "clips": clips}))
    sources = found(tmp_path, "celebv-hq")
    region = Region((0.2, 0.0, 0.7, 0.9), (1.0, 1.0))
    assert by_name(sources)["M2O.mp4"].parts == (Part(3, 5.5, "seconds", region), Part(81.62, 86.17, "seconds", region))
    assert by_name(sources)["xyz_0.mp4"].parts == ()
    assert len(sources.unread) == 2
    assert sources.notes == ("1 of 6 clips of celebvhq_info.json have no video here",)


def test_hdtf_has_lists_for_each_part(tmp_path: Path) -> None:
    touch(tmp_path, "videos/Radio11.mp4", "videos/RD_Radio12_000.mp4", "videos/WDA_Obama.mp4")
    times = "Radio11.mp4 00:30-01:00 01:30-02:30\nRadio12.mp4 00:25-01:00\nRadio13.mp4 0:1-0:2\n"
    lists = {"RD_annotion_time.txt": times,
             "RD_crop_wh.txt": "Radio11_0.mp4 412 599 0 599\nRadio11_1.mp4 557 478 10 478\nbroken\n",
             "RD_resolution.txt": "Radio11.mp4 720\n",
             "WDA_annotion_time.txt": "Obama.mp4 00:02-00:12 nonsense\n"}  # fmt: skip
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
    sources = found(tmp_path, "hdtf")
    assert by_name(sources)["Radio11.mp4"].parts == (
        Part(30, 60, "seconds", Region((412, 0, 1011, 599), (None, 720.0))),
        Part(90, 150, "seconds", Region((557, 10, 1035, 488), (None, 720.0))),
    )
    assert by_name(sources)["RD_Radio12_000.mp4"].parts == ()
    assert by_name(sources)["WDA_Obama.mp4"].parts == (Part(2, 12, "seconds", None),)
    assert sources.unread == (("Obama nonsense", "is no time, needed is 00:30-01:00"),)
    assert sources.notes == (f"1 of 6 clips of {tmp_path} have no video here",)


TEXT = """Identity  : \tid00017
Reference : \t01dfn2spqyE
Offset    : \t11
FV Conf   : \t19.159\t(1)
ASD Conf  : \t4.352

FRAME \tX \tY \tW \tH
000250 \t0.300 \t0.100 \t0.200 \t0.400
000251 \t0.310 \t0.100 \t0.200 \t0.400
000299 \t0.320 \t0.100 \t0.200 \t0.400
"""


def test_voxceleb2_takes_raw_videos_where_they_are(tmp_path: Path) -> None:
    touch(tmp_path, "raw/01dfn2spqyE.mp4", "mp4/id00017/01dfn2spqyE/00001.mp4", "mp4/id00018/other/00002.mp4",
          "txt/id00019/gone/00001.txt", "txt/id00017/01dfn2spqyE/00001.txt")  # fmt: skip
    (tmp_path / "txt/id00017/01dfn2spqyE/00001.txt").write_text(TEXT)
    sources = found(tmp_path, "voxceleb2")
    raw = by_name(sources)["01dfn2spqyE.mp4"]
    ((start, stop, unit, region),) = raw.parts
    assert (start, stop, unit) == (10.0, 12.0, "seconds")
    assert region is not None
    assert region.within(100, 100) == pytest.approx((31, 10, 51, 50))
    assert raw.person == "id00017"
    clip = by_name(sources)["00002.mp4"]
    assert (clip.parts, clip.person) == ((), "id00018")
    assert "00001.mp4" not in by_name(sources)
    assert sources.notes == (f"1 texts in {tmp_path} have neither a raw video nor a clip here",)


@pytest.mark.parametrize("layout", ["vfhq", "celebv-hq", "hdtf", "voxceleb2"])
def test_a_folder_of_another_layout_is_one_line(tmp_path: Path, layout: LayoutName) -> None:
    touch(tmp_path, "film.mp4" if layout != "vfhq" else "notes.txt")
    with pytest.raises(VFEError, match=r"layout|as VFHQ has"):
        found(tmp_path, layout)
    with pytest.raises(VFEError, match=r"no such"):
        found(tmp_path / "nothing", layout)


@pytest.mark.parametrize("text", ["", "[]", '{"clips": []}', "[" * 100_000])
def test_a_damaged_list_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "celebvhq_info.json").write_text(text)
    with pytest.raises(VFEError, match=r"is no list of clips"):
        found(tmp_path, "celebv-hq")


def test_a_crop_for_another_height_is_scaled() -> None:
    assert Region((10, 20, 30, 40), (None, 360.0)).within(1280, 720) == (20, 40, 60, 80)
    assert Region((10, 20, 30, 40), (None, None)).within(1280, 720) == (10, 20, 30, 40)
    assert Region((10, 20, 30, 40), (640.0, 720.0)).within(1280, 720) == (20, 20, 60, 40)
