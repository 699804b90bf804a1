"""Frames of a video or of images, read one at a time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from av.video.frame import VideoFrame
from torch import Tensor

from ..types import VFEError
from .animated import pixels_of, read_animation
from .boxes import opened
from .complete import claim_of, damage_notes
from .crop import NO_CROP
from .decode import Damage, decode_frames
from .errors import about, reading
from .files import is_image
from .frame_table import FrameTable, picture_checksum, pixels_checksum
from .hdr import ColourCoding
from .info import VideoInfo
from .orient import UPRIGHT
from .photo.animation import OWN_FORMATS
from .photo.carry import tags_of
from .photo.count import is_animation
from .photo.file import Photo, read_photo
from .photo.tags import NO_TAGS, PhotoTags
from .photo.whole import is_whole
from .pixels import FrameReader
from .probe import probe, video_stream
from .stored import Stored
from .times.edits import open_frames
from .times.length import with_lengths

_NAMED = 3  # damaged images that a note names


@dataclass(frozen=True)
class Frame:
    """One frame as it is shown, upright."""

    pixels: Tensor
    """Pixels (3, H, W), float32 in [-1, 1]."""
    alpha: Tensor | None = None
    """Opacity (1, H, W), float32 in [0, 1], where 1 is opaque; None where the source has none."""
    pts: int | None = None
    """When it is shown, in units of `time_base` seconds; None for images."""
    time_base: Fraction | None = None
    name: str | None = None
    """The file name of an image."""
    duration: int | None = None
    """How long it is shown, in units of `time_base`; None where that is unknown."""
    stored: Stored | None = None
    """What it was decoded from, where that is a frame of a video that is not turned, cropped or scaled."""
    tags: PhotoTags = NO_TAGS
    """The colour profile and the camera data of an image, and how the colours of a video are coded."""


class Decoded(NamedTuple):
    """A picture that was decoded, of which a frame is made when somebody asks for it: pixels take longer than the
    rest.
    """

    pts: int | None
    duration: int | None
    time_base: Fraction | None
    frame: Callable[[], Frame]
    checksum: Callable[[], int]
    """A checksum of what the decoder gave."""


class Source:
    """The frames of a file. It is a context manager; each iteration starts from the first frame with a decoder of its
    own.
    """

    def __init__(self, info: VideoInfo) -> None:
        self.info = info
        self.notes: list[str] = []
        """What the caller may want to tell the user: damage, changes of size."""
        self._open: list[Generator[Decoded, None, None]] = []
        self._tags = NO_TAGS

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for frames in self._open:
            frames.close()
        self._open.clear()

    def __iter__(self) -> Iterator[Frame]:
        return (decoded.frame() for decoded in self.decoded())

    def decoded(self) -> Iterator[Decoded]:
        """Decode all pictures, from the first one on."""
        if self.info.images:
            pictures = self._read_images()
        else:
            pictures = self._read_animation() if self.info.container in OWN_FORMATS else self._read_video()
        self._open.append(pictures)
        return pictures

    def frames_from(self, first: int, table: FrameTable) -> Iterator[Frame]:
        """Yield the frames from number `first` on, each of which is proved to be the one that the table knows.

        Raises VFEError where a picture is not the one that a pass over the source found before.
        """
        for number, decoded in enumerate(self.decoded()):
            if number >= first:
                if number >= len(table) or decoded.checksum() != table.checksums[number]:
                    raise self._changed(number)
                yield decoded.frame()

    def _changed(self, number: int) -> VFEError:
        return VFEError(
            f"{self.info.path}: frame {number} is not what it was when the file was looked through; needed is the same "
            "file on a sound disk: start anew"
        )

    def _tell(self, *notes: str) -> None:
        """Add notes, each once, however often the frames are read."""
        self.notes += [note for note in notes if note not in self.notes]

    def _read_video(self) -> Generator[Decoded, None, None]:
        path = self.info.path
        damage = Damage()
        reader = FrameReader(self.info.color_space, self.info.color_range)
        stored_size = self.info.stored_size
        count, resized, woven, end = 0, 0, 0, 0.0
        with reading(path), open_frames(path) as container:
            self._tags = tags_of(path.read_bytes()) if is_image(path) else self._coding()  # an animated PNG, or a video
            stream = video_stream(container, path)
            claim = claim_of(container, stream)
            with closing(decode_frames(container, stream, damage)) as frames:
                for frame, length in with_lengths(frames, self.info.rate, damage):
                    count += 1
                    woven += frame.interlaced_frame
                    resized += (frame.width, frame.height) != stored_size
                    end = _end_of(frame, length)
                    yield self._picture(frame, length, reader)
        if count == 0:
            raise VFEError(f"{path}: no frame can be decoded, {damage.cause}; needed is a whole video")
        self._tell(*damage_notes(path.name, claim, count, end, self.info.rate, damage))
        if woven:
            self._tell(interlaced_note(woven, count))
        if resized:
            self._tell(f"{resized} frames of {path.name} have another size and were scaled to that of the first")

    def _coding(self) -> PhotoTags:
        """Return what images made of the frames of a video have to say of their colours."""
        coding = ColourCoding(self.info.color_primaries, self.info.color_transfer, self.info.hdr)
        return PhotoTags(coding=coding)

    def _picture(self, frame: VideoFrame, length: int, reader: FrameReader) -> Decoded:
        return Decoded(
            frame.pts,
            length,
            frame.time_base,
            frame=lambda: self._frame(frame, length, reader),
            checksum=lambda: picture_checksum(frame),
        )

    def _frame(self, frame: VideoFrame, length: int, reader: FrameReader) -> Frame:
        stored_size = self.info.stored_size
        pixels, alpha = reader.read(frame, stored_size)
        turn, crop = self.info.orientation, self.info.crop
        as_it_is = (turn, crop) == (UPRIGHT, NO_CROP) and (frame.width, frame.height) == stored_size
        return Frame(
            pixels=turn.upright(crop.cut(pixels)),
            alpha=None if alpha is None or not self.info.has_alpha else turn.upright(crop.cut(alpha)),
            pts=frame.pts,
            time_base=frame.time_base,
            duration=length,
            tags=self._tags,
            stored=Stored(frame, pixels, reader.matrix, reader.color_range) if as_it_is else None,
        )

    def _read_animation(self) -> Generator[Decoded, None, None]:
        path, when, count, other_sizes = self.info.path, 0, 0, 0
        with reading(path), about(path):
            for picture in read_animation(path):
                count += 1
                height, width = picture.pixels.shape[-2:]
                if (width, height) != (self.info.width, self.info.height):
                    other_sizes += 1
                    continue
                yield _made(
                    Frame(
                        picture.pixels,
                        picture.alpha if self.info.has_alpha else None,
                        pts=when,
                        time_base=self.info.time_base,
                        duration=picture.duration,
                        tags=picture.tags,
                    )
                )
                when += picture.duration
            with opened(path) as (read, size):
                whole = is_whole(read, size)
        if not whole:
            self._tell(f"{path.name} is damaged or cut short: {count} pictures were read")
        if other_sizes:
            self._tell(f"{other_sizes} pictures of {path.name} have another size than the first: left out")

    def _read_images(self) -> Generator[Decoded, None, None]:
        size = (self.info.width, self.info.height)
        several = 0
        damaged: list[str] = []
        for path in self.info.images:
            photo = read_photo(path)
            frame = _image_frame(photo, path.name)
            height, width = frame.pixels.shape[-2:]
            if (width, height) != size:
                raise VFEError(
                    f"{path}: is {width}x{height}, the first image is {size[0]}x{size[1]}; "
                    "images of one folder must have one size, restore others apart"
                )
            several += is_animation(path)
            damaged += [] if photo.whole else [path.name]
            yield _made(frame)
        if damaged:
            names = ", ".join(damaged[:_NAMED]) + (f" and {len(damaged) - _NAMED} more" if damaged[_NAMED:] else "")
            verb = "is" if len(damaged) == 1 else "are"
            self._tell(f"{names} {verb} damaged or cut short: what is missing of a picture is grey or smeared")
        if several:
            self._tell(f"{several} of the images are animations or have pages: only the first picture was read")


def open_source(path: str | Path) -> Source:
    """Open a video, an image, a folder of images or a glob for reading.

    Raises VFEError where there is no such file, no video in it, or no frame that can be decoded.
    """
    return Source(probe(path))


def interlaced_note(woven: int, count: int) -> str:
    """Return the sentence on a video of which so many frames are interlaced."""
    return f"{woven} of {count} frames are interlaced; they are written as they are, as progressive"


def _made(frame: Frame) -> Decoded:
    """Return a frame that is made already, so that only its pixels can be compared."""
    return Decoded(
        frame.pts,
        frame.duration,
        frame.time_base,
        frame=lambda: frame,
        checksum=lambda: pixels_checksum(frame.pixels, frame.alpha),
    )


def _end_of(frame: VideoFrame, length: int) -> float:
    return float(((frame.pts or 0) + length) * (frame.time_base or 0))


def _image_frame(photo: Photo, name: str) -> Frame:
    """Return the frame of an image, cropped and upright as it is to be shown."""
    shown, opaque = (None if p is None else photo.orientation.upright(photo.crop.cut(p)) for p in pixels_of(photo))
    assert shown is not None
    return Frame(shown, opaque, name=name, tags=photo.tags)
