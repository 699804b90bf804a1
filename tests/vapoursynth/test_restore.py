"""`vfe.vapoursynth.restore`: its frames are those of `vfe enhance`, whatever the order and the threads."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

vs = pytest.importorskip("vapoursynth", reason="VapourSynth is not installed here")

import vfe as vfe_package  # noqa: E402
from tests.support.mixing_pipeline import MixingPipeline  # noqa: E402
from tests.support.moving_faces import Actor, film  # noqa: E402
from tests.support.vapoursynth_clips import Watching, all_planes, moving, planes_of, rgb_clip  # noqa: E402
from vfe.restore.restorer import Restorer  # noqa: E402
from vfe.vapoursynth import restore  # noqa: E402

COUNT = 130


def windows_of_one_pass() -> int:
    pipeline = MixingPipeline()
    list(pipeline.stream(film_tensor(COUNT)))
    return pipeline.windows


def film_tensor(count: int) -> Any:  # noqa: ANN401
    import torch

    return iter(torch.zeros(count, 3, 48, 64))


@pytest.fixture(params=[1, 4], ids=["one thread", "four threads"])
def threads(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401
    """VapourSynth works by so many threads."""
    before = vs.core.num_threads
    vs.core.num_threads = request.param
    yield request.param
    vs.core.num_threads = before


@pytest.mark.usefixtures("threads")
def test_no_window_is_restored_twice() -> None:
    pipeline = MixingPipeline()
    all_planes(restore(moving(COUNT), Restorer(pipeline)))
    assert pipeline.windows == windows_of_one_pass()


@pytest.mark.usefixtures("threads")
def test_any_order_gives_the_same_frames() -> None:
    whole = all_planes(restore(moving(COUNT), Restorer(MixingPipeline())))
    clip = restore(moving(COUNT), Restorer(MixingPipeline()), cache=0)
    numbers = [77, 3, 129, 78, 40, 39, 38, 0, 128]
    asked = [clip.get_frame_async(number) for number in numbers]
    for number, future in zip(numbers, asked, strict=True):
        for ours, theirs in zip(planes_of(future.result()), whole[number], strict=True):
            assert np.array_equal(ours, theirs)


@pytest.mark.usefixtures("threads")
def test_a_restored_clip_may_be_restored_again() -> None:
    """Its frames are asked for while another thread restores: nobody may wait for what only the waiting one does."""
    restorer = Restorer(MixingPipeline())
    twice = restore(restore(moving(60), restorer), restorer)
    both = vs.core.std.Interleave([twice, restore(moving(60), restorer)])
    done = threading.Event()

    def read() -> None:
        all_planes(both)
        done.set()

    threading.Thread(target=read, daemon=True).start()
    assert done.wait(100), "the threads wait for each other"


def test_nothing_is_restored_before_a_frame_is_asked_for() -> None:
    pipeline = Watching()
    clip = restore(moving(COUNT), Restorer(pipeline))[60:]
    assert pipeline.windows == 0
    clip.get_frame(9)
    assert pipeline.windows == 1


def pictures(count: int) -> list[npt.NDArray[np.uint8]]:
    """A face that moves over a wall, (H, W, 3)."""
    frames = film([Actor("a", lambda frame: (100.0 + frame, 70.0))], range(count))
    return [np.ascontiguousarray(((f + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()) for f in frames]


def enhanced(restorer: Restorer, clip: Any, folder: Path, options: Any) -> list[Any]:  # noqa: ANN401
    """The planes of the frames of a clip after a round by files: FFV1 in and out."""
    source, output = folder / "source.mkv", folder / "restored.mkv"
    write_ffv1(clip, source)
    restorer.restore_file(source, output, vfe_package.RestoreOptions(codec="ffv1", **options))
    return read_ffv1(output)


def write_ffv1(clip: Any, path: Path) -> None:  # noqa: ANN401
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        is_rgb = clip.format.color_family == vs.RGB
        stream.width, stream.height = clip.width, clip.height
        stream.pix_fmt = "bgr0" if is_rgb else "yuv420p"
        for planes in all_planes(clip):
            if is_rgb:
                frame = av.VideoFrame.from_ndarray(np.stack(planes, -1), format="rgb24").reformat(format="bgr0")
            else:
                frame = av.VideoFrame.from_ndarray(
                    np.concatenate([p.reshape(-1, clip.width) for p in planes]), format="yuv420p"
                )
                frame.colorspace, frame.color_range = 6, 1
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def read_ffv1(path: Path) -> list[Any]:
    import av

    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    if frames[0].format.name == "bgr0":
        return [list(frame.to_ndarray(format="rgb24").transpose(2, 0, 1)) for frame in frames]
    arrays, height, width = [frame.to_ndarray() for frame in frames], frames[0].height, frames[0].width
    return [[a[:height], *(a[height:].reshape(2, height // 2, width // 2))] for a in arrays]


@pytest.fixture(scope="module")
def lite() -> Restorer:
    return vfe_package.load("lite", "cpu")


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"region": "face", "strength": 0.8}], ids=["frame", "face"])
def test_frames_of_rgb_are_those_of_vfe_enhance(lite: Restorer, options: Any, tmp_path: Path) -> None:  # noqa: ANN401
    """In 8 bits to the code value; they may be one apart where a float is rounded the other way."""
    clip = rgb_clip(pictures(30))
    theirs = enhanced(lite, clip, tmp_path, options)
    ours = all_planes(restore(clip, lite, **options))
    apart = np.abs(np.array(ours, np.int16) - np.array(theirs, np.int16))
    assert apart.max() <= 1
    assert (apart > 0).mean() < 0.001
    assert np.abs(np.array(ours, np.int16) - np.array(all_planes(clip), np.int16)).max() > 10


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"region": "face"}], ids=["frame", "face"])
def test_frames_of_420_are_near_those_of_vfe_enhance(lite: Restorer, options: Any, tmp_path: Path) -> None:  # noqa: ANN401
    """FFmpeg's way to RGB rounds to 8 bits and places chroma elsewhere: 99.9 % within 2 of 255, on average 1/4."""
    clip = rgb_clip(pictures(30)).resize.Bicubic(format=vs.YUV420P8, matrix=6)
    theirs = enhanced(lite, clip, tmp_path, options)
    ours = all_planes(restore(clip, lite, **options))
    for plane in range(3):
        apart = np.abs(np.array([f[plane] for f in ours], np.int16) - np.array([f[plane] for f in theirs], np.int16))
        assert apart.mean() < 0.25
        assert (apart <= 2).mean() > 0.999


def error_of(*given: Any, **options: Any) -> str:  # noqa: ANN401
    with pytest.raises(vs.Error) as caught:
        restore(*given, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_clips_of_several_formats_or_sizes_are_refused() -> None:
    rgb, small = moving(3), vs.core.std.BlankClip(width=32, height=32, format=vs.RGB24, length=3)
    for other in (rgb.resize.Bicubic(format=vs.YUV420P8, matrix=1), small):
        error = error_of(vs.core.std.Splice([rgb, other], mismatch=True))
        assert "changes from frame to frame" in error


@pytest.mark.parametrize(
    ("given", "options", "words"),
    [
        (("no clip",), {}, "got str, needed is a clip"),
        ((), {"strenght": 1}, "there is no option strenght, needed is one of strength"),
        ((), {"codec": "h264"}, "there is no option codec"),
        ((), {"strength": 3}, "strength is 3, needed is a number from 0"),
        ((), {"region": "eyes"}, "region is 'eyes'"),
        ((), {"cache": -1}, "cache is -1 MiB"),
        ((), {"model": "nothing.safetensors"}, "nothing.safetensors"),
        ((), {"device": "abacus"}, "abacus"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_wrong_calls_end_in_one_line(given: Any, options: Any, words: str) -> None:  # noqa: ANN401
    assert words in error_of(*(given or (moving(1),)), **options)


def frame_error(clip: Any) -> str:  # noqa: ANN401
    """The last line of an error: VapourSynth puts where it happened before it."""
    with pytest.raises(vs.Error) as caught:
        clip.get_frame(0)
    return str(caught.value).strip().splitlines()[-1]


def test_interlaced_frames_are_refused() -> None:
    clip = moving(2).resize.Bicubic(format=vs.YUV422P8, matrix=1).std.SetFieldBased(2)
    assert "frame 0 is interlaced" in frame_error(restore(clip, Restorer(MixingPipeline())))


def test_frames_too_small_for_faces_say_so() -> None:
    clip = vs.core.std.BlankClip(width=8, height=8, format=vs.RGB24, length=2)
    assert "too small to find faces" in frame_error(restore(clip, Restorer(MixingPipeline()), region="face"))


def test_listed_faces_are_taken(tmp_path: Path) -> None:
    """A list that is for other frames is seen."""
    (tmp_path / "faces.json").write_text("{}", encoding="utf-8")
    clip = restore(moving(2), Restorer(MixingPipeline()), region="face", tracks=str(tmp_path / "faces.json"))
    assert "faces.json" in frame_error(clip)
