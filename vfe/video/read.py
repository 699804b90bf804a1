"""Frames of a video or of images, read one at a time."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from inspect import GEN_CLOSED, getgeneratorstate
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from av.video.frame import VideoFrame

from ..types import VFEError
from .animated import pixels_of, read_animation
from .boxes import opened
from .complete import claim_of, damage_notes, falls_short
from .crop import NO_CROP
from .decode import Damage, decode_frames
from .errors import about, reading
from .files import is_image
from .frame import Decoded as Decoded
from .frame import Frame as Frame
from .frame_table import FrameTable, picture_checksum, pixels_checksum
from .hdr import ColourCoding
from .info import VideoInfo
from .lost import LostTimes, TimeRange, lost_notes
from .orient import UPRIGHT
from .photo.animation import OWN_FORMATS
from .photo.carry import tags_of
from .photo.count import is_animation
from .photo.file import Photo, read_photo
from .photo.tags import NO_TAGS, PhotoTags
from .photo.whole import is_whole
from .pixels import FrameReader
from .probe import probe, video_stream
from .seek import LEADS, seek_frames
from .stored import Stored
from .times.edits import open_frames
from .times.length import with_lengths

_T = TypeVar("_T")
_NAMED = 3  # damaged images that a note names


class Source:
    """The frames of a file. It is a context manager; each iteration starts from the first frame with a decoder of its
    own.
    """

    def __init__(self, info: VideoInfo) -> None:
        self.info = info
        self.notes: list[str] = []
        """What the caller may want to tell the user: damage, changes of size."""
        self.lost: tuple[TimeRange, ...] = ()
        """When frames of a video are missing or have errors; known when all of it was read."""
        self._open: list[Generator[Any, None, None]] = []
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
        return self._opened(self._from_start())

    def frames_from(self, first: int, table: FrameTable) -> Generator[Frame, None, None]:
        """Yield the frames from number `first` on, each of which is proved to be the one that the table knows.

        Where a video can seek, what lies long before them is not read; where that does not lead to the right frames, it
        is. Raises VFEError where a picture is not the one that a pass over the source found before; after an error of a
        damaged file there may be no such picture, and what a reading from the start gives is taken.
        """
        return self._opened(_frames_of(self._proved(first, table)))

    def pictures_from(self, first: int, table: FrameTable) -> Generator[Decoded, None, None]:
        """Do the same for pictures, of which frames are made only when somebody asks for them."""
        return self._opened(self._proved(first, table))

    def _opened(self, pictures: Generator[_T, None, None]) -> Generator[_T, None, None]:
        """Note a generator that holds a file open, so that leaving the source closes it."""
        self._open = [*(other for other in self._open if getgeneratorstate(other) != GEN_CLOSED), pictures]
        return pictures

    def _from_start(self) -> Generator[Decoded, None, None]:
        if self.info.images:
            return self._read_images(self.info.images)
        return self._read_animation() if self.info.container in OWN_FORMATS else self._read_video()

    def _proved(self, first: int, table: FrameTable) -> Generator[Decoded, None, None]:
        number = first
        can_seek = table.pts is not None and not self.info.is_piped and self.info.container not in OWN_FORMATS
        for lead in (*(lead for lead in LEADS if can_seek and lead < first), None):
            with closing(self._proposed(number, lead, table)) as proposed:
                for decoded in proposed:
                    proved = decoded.checksum() == table.checksums[number]
                    if not proved and (lead is not None or table.is_sound(number)):
                        break  # another way takes up here
                    yield decoded
                    number += 1
                    if number == len(table):
                        return
        raise self._changed(number)

    def _proposed(self, number: int, lead: int | None, table: FrameTable) -> Generator[Decoded, None, None]:
        """Yield the pictures that may be those from `number` on, found by seeking or, without `lead`, by counting."""
        if self.info.images:
            yield from self._read_images(self.info.images[number:])
        elif lead is None:
            with closing(self._from_start()) as pictures:
                yield from islice(pictures, number, None)
        else:
            yield from self._seek_video(number, lead, table)

    def _seek_video(self, number: int, lead: int, table: FrameTable) -> Generator[Decoded, None, None]:
        assert table.durations is not None
        reader = FrameReader(self.info.color_space, self.info.color_range)
        self._tags = self._video_tags()
        with reading(self.info.path), closing(seek_frames(self.info, number, lead, table)) as frames:
            for frame, length in zip(frames, table.durations[number:], strict=False):
                yield self._picture(frame, length, reader)

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
        count, resized, woven = 0, 0, 0
        lost = LostTimes(self.info.rate, damage.failures)
        with reading(path), open_frames(path) as container:
            self._tags = self._video_tags()
            stream = video_stream(container, path, self.info.stream)
            claim = claim_of(container, stream)
            with closing(decode_frames(container, stream, damage)) as frames:
                for frame, length in with_lengths(frames, self.info.rate, damage):
                    count += 1
                    woven += frame.interlaced_frame
                    resized += (frame.width, frame.height) != stored_size
                    lost.read(*_shown(frame, length), frame.is_corrupt)
                    is_sound = not (damage.bad_packets or damage.bad_frames)
                    yield self._picture(frame, length, reader)._replace(is_sound=is_sound)
        if count == 0:
            raise VFEError(f"{path}: no frame can be decoded, {damage.cause}; needed is a whole video")
        self._tell(*damage_notes(path.name, claim, count, lost.end, self.info.rate, damage))
        self.lost = lost.until(claim.end if falls_short(claim, lost.end, self.info.rate, damage) else 0.0)
        self._tell(*lost_notes(path.name, self.lost))
        if woven:
            self._tell(f"{interlaced_note(woven, count)}, as progressive")
        if resized:
            self._tell(f"{resized} frames of {path.name} have another size and were scaled to that of the first")

    def _video_tags(self) -> PhotoTags:
        is_animated_png = is_image(self.info.path)
        return tags_of(self.info.path.read_bytes()) if is_animated_png else self._coding()

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

    def _read_images(self, images: Sequence[Path]) -> Generator[Decoded, None, None]:
        size = (self.info.width, self.info.height)
        several = 0
        damaged: list[str] = []
        for path in images:
            photo = read_photo(path)
            frame = _image_frame(photo, path.name)
            height, width = frame.pixels.shape[-2:]
            if (width, height) != size:
                raise VFEError(
                    f"{path}: is {width}x{height}, the first image is {size[0]}x{size[1]}; "
                    "images of one folder must have one size, restore others apart",
                    command="or add --pictures, which restores each by itself",
                )
            several += is_animation(path)
            damaged += [] if photo.whole else [path.name]
            yield _made(frame)._replace(is_sound=photo.whole)
        if damaged:
            names = ", ".join(damaged[:_NAMED]) + (f" and {len(damaged) - _NAMED} more" if damaged[_NAMED:] else "")
            verb = "is" if len(damaged) == 1 else "are"
            self._tell(f"{names} {verb} damaged or cut short: what is missing of a picture is grey or smeared")
        if several:
            self._tell(f"{several} of the images are animations or have pages: only the first picture was read")


def open_source(path: str | Path) -> Source:
    """Open a video, an image, a folder of images, a glob or a part of a video for reading.

    Raises VFEError where there is no such file, no video in it, or no frame that can be decoded.
    """
    info = probe(path)
    if not info.is_part:
        return Source(info)
    from .part_source import open_part  # which reads the whole video by a source of this file

    return open_part(info)


def interlaced_note(woven: int, count: int) -> str:
    """Return the sentence on a video of which so many frames are interlaced."""
    return f"{woven} of {count} frames are interlaced; they are written as they are"


def _frames_of(pictures: Generator[Decoded, None, None]) -> Generator[Frame, None, None]:
    with closing(pictures):
        for decoded in pictures:
            yield decoded.frame()


def _made(frame: Frame) -> Decoded:
    """Return a frame that is made already, so that only its pixels can be compared."""
    return Decoded(
        frame.pts,
        frame.duration,
        frame.time_base,
        frame=lambda: frame,
        checksum=lambda: pixels_checksum(frame.pixels, frame.alpha),
    )


def _shown(frame: VideoFrame, length: int) -> tuple[float, float]:
    """Return from when to when a frame is shown, in seconds."""
    start, unit = frame.pts or 0, frame.time_base or 0
    return float(start * unit), float((start + length) * unit)


def _image_frame(photo: Photo, name: str) -> Frame:
    """Return the frame of an image, cropped and upright as it is to be shown."""
    shown, opaque = (None if p is None else photo.orientation.upright(photo.crop.cut(p)) for p in pixels_of(photo))
    assert shown is not None
    return Frame(shown, opaque, name=name, tags=photo.tags)
