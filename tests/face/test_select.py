"""Choosing faces, and showing them: numbered boxes on frames and the contact sheet."""

from __future__ import annotations

import pytest
import torch

from tests.support.moving_faces import Actor, film
from vfe.face.detect.upright import crop_matrices, roll_of
from vfe.face.draw.overlay import COLOURS, GLYPHS, colour_of, draw_tracks, fill, write
from vfe.face.draw.sheet import (
    CAPTION_HEIGHT,
    GAP,
    LINE_HEIGHT,
    MAX_COLUMNS,
    PICTURE_SIDE,
    Marks,
    SheetMaker,
    best_frame,
    draw_sheet,
    picture_of,
)
from vfe.face.track.select import FaceSelection
from vfe.face.track.tracks import FaceTrack, FaceTracks, oval_masks
from vfe.types import VFEError


def track(number: int, start: int, frames: int, middle: tuple[float, float], side: float) -> FaceTrack:
    """An upright face that does not move."""
    x, y = middle
    box = torch.tensor([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
    points = torch.tensor([[-0.2, -0.1], [0.2, -0.1], [0, 0.1], [-0.15, 0.3], [0.15, 0.3]]) * side + torch.tensor(
        [x, y]
    )
    boxes, landmarks, ones = box.repeat(frames, 1), points.repeat(frames, 1, 1), torch.ones(frames)
    return FaceTrack(
        number=number, start=start, boxes=boxes, landmarks=landmarks, scores=ones * 0.9, seen=ones.bool(),
        presence=ones, masks=oval_masks(boxes), matrices=crop_matrices(boxes, roll_of(landmarks)),
    )  # fmt: skip


@pytest.fixture
def tracks() -> FaceTracks:
    """Two shots: three faces of 20, 40 and 30 pixels, then two of 24 and 60."""
    faces = (
        track(1, 0, 10, (30, 40), 20),
        track(2, 0, 6, (100, 40), 40),
        track(3, 2, 8, (200, 40), 30),
        track(4, 10, 10, (60, 90), 24),
        track(5, 12, 8, (180, 90), 60),
    )
    return FaceTracks(width=256, height=144, frames=20, cuts=(10,), tracks=faces)


@pytest.mark.parametrize(
    ("text", "least", "numbers"),
    [
        ("all", 0, [1, 2, 3, 4, 5]),
        (" ALL ", 25, [2, 3, 5]),
        ("largest", 0, [2, 5]),
        ("largest", 50, [5]),
        ("2", 0, [2]),
        ("5, 1,1", 0, [1, 5]),
        ("1 2;3", 21, [2, 3]),
        ("nearest 35,45", 0, [1, 4]),
        ("nearest 199.5 50", 0, [3, 5]),
        ("Nearest -10,0", 25, [2, 5]),
        ("largest", 100, []),
    ],
)
def test_who_is_meant(tracks: FaceTracks, text: str, least: float, numbers: list[int]) -> None:
    chosen = FaceSelection.parse(text, min_size=least).of(tracks)
    assert [face.number for face in chosen.tracks] == numbers
    assert (chosen.cuts, chosen.frames) == (tracks.cuts, tracks.frames)


@pytest.mark.parametrize(
    "text", ["", "biggest", "0", "2,0", "-1", "1.5", "nearest", "nearest 3", "nearest a,b", "all,2"]
)
def test_nonsense_is_told_in_a_sentence(text: str) -> None:
    with pytest.raises(VFEError, match=rf'^faces "{text}": '):
        FaceSelection.parse(text)


def test_numbers_that_are_not_there(tracks: FaceTracks) -> None:
    with pytest.raises(VFEError, match=r"no face 6, 9: the faces are 1, 2, 3, 4, 5"):
        FaceSelection.parse("9,2,6").of(tracks)
    nobody = FaceTracks(width=9, height=9, frames=1, cuts=(), tracks=())
    with pytest.raises(VFEError, match="no face was found"):
        FaceSelection.parse("1").of(nobody)
    assert FaceSelection.parse("largest").of(nobody).tracks == ()


@pytest.mark.parametrize("least", [-1.0, float("nan")])
def test_sizes_below_nothing(least: float) -> None:
    with pytest.raises(VFEError, match="from 0 on"):
        FaceSelection(min_size=least)


def test_boxes_and_numbers_are_drawn_on_a_copy(tracks: FaceTracks) -> None:
    frame = torch.zeros(3, 144, 256)
    drawn = draw_tracks(frame, tracks, 1)
    assert (frame == 0).all()
    assert drawn.shape == frame.shape
    changed = (drawn != 0).any(0)
    assert changed[20:60, 80].all()
    assert changed[60 - 1, 80:120].all()  # the box of face 2
    assert not changed[:, 185:215].any()
    assert changed[30, 20]  # face 3 comes later, face 1 is there
    assert (drawn[:, 30, 20] == torch.tensor(colour_of(1))).all()
    assert torch.equal(draw_tracks(frame, tracks.keep([]), 1), frame)


def test_what_fades_is_drawn_fainter(tracks: FaceTracks) -> None:
    tracks.tracks[0].presence[1] = 0
    drawn = draw_tracks(torch.zeros(3, 144, 256), tracks.keep([1]), 1)
    torch.testing.assert_close(drawn[:, 40, 20], torch.tensor(colour_of(1)) * 0.25)


def test_drawing_stays_inside_of_the_picture() -> None:
    outside = FaceTracks(width=64, height=48, frames=1, cuts=(), tracks=(track(12, 0, 1, (62, 2), 40),))
    drawn = draw_tracks(torch.zeros(3, 48, 64), outside, 0)
    assert (drawn[:, 20, 42] != 0).any()
    assert (drawn == 1).all(0).any()  # its number, too
    picture = torch.zeros(3, 4, 4)
    fill(picture, (-5, -5, -1, -1), (1.0, 1.0, 1.0))
    fill(picture, (9, 9, 12, 12), (1.0, 1.0, 1.0))
    assert (picture == 0).all()


def test_digits_are_told_apart() -> None:
    pictures = []
    for digit in "0123456789":
        picture = torch.zeros(3, 5, 3)
        write(picture, digit, (0, 0), 1)
        pictures.append(tuple(picture[0].flatten().tolist()))
    assert len(set(pictures)) == 10
    assert all(len(rows) == 5 and {len(row) for row in rows} == {3} for rows in GLYPHS.values())
    assert colour_of(1) == colour_of(1 + len(COLOURS)) != colour_of(2)


def test_the_best_frame_is_seen_large_and_sure() -> None:
    face = track(1, 7, 6, (50, 50), 20)
    assert best_frame(face) == 7
    face.boxes[3] = torch.tensor([30.0, 30, 70, 70])
    assert best_frame(face) == 10
    face.seen[3] = False
    face.scores[1] = 0.95
    assert best_frame(face) == 8


def test_a_picture_shows_the_face_in_its_middle() -> None:
    actor = Actor("a", lambda _: (100, 70))
    (frame,) = film([actor], range(1))
    box = actor.box(0)
    assert box is not None
    picture = picture_of(frame, box)
    assert picture.shape == (3, PICTURE_SIDE, PICTURE_SIDE)
    torch.testing.assert_close(picture[:, 80, 80], frame[:, 70, 100], rtol=0, atol=0.1)
    small = picture_of(frame.repeat_interleave(4, 1).repeat_interleave(4, 2), box * 4)  # as seen in a larger frame
    torch.testing.assert_close(small, picture, rtol=0, atol=0.35)


def test_the_sheet_has_one_picture_a_track_in_rows(tracks: FaceTracks) -> None:
    maker = SheetMaker(tracks)
    pushed = 0
    while not maker.complete:
        maker.push(torch.full((3, 144, 256), pushed / 20))
        pushed += 1
    assert pushed == 13  # face 5 is the last to come
    sheet = maker.sheet()
    assert sheet.shape == (3, GAP + PICTURE_SIDE + CAPTION_HEIGHT + GAP, GAP + 5 * (PICTURE_SIDE + GAP))
    for index, shade in enumerate((0, 0, 2, 10, 12)):
        middle = sheet[:, GAP + PICTURE_SIDE // 2, GAP + index * (PICTURE_SIDE + GAP) + PICTURE_SIDE // 2]
        torch.testing.assert_close(middle, torch.full((3,), shade / 20))
        caption = sheet[:, GAP + PICTURE_SIDE + 4 :, GAP + index * (PICTURE_SIDE + GAP) :][:, :, :PICTURE_SIDE]
        assert (caption == 1).all(0).sum() > 100  # something is written
    many = tuple(track(number, 0, 1, (50, 50), 20) for number in range(1, MAX_COLUMNS + 2))
    rows = SheetMaker(FaceTracks(width=99, height=99, frames=1, cuts=(), tracks=many)).sheet()
    assert rows.shape[1:] == (GAP + 2 * (PICTURE_SIDE + CAPTION_HEIGHT + GAP), GAP + MAX_COLUMNS * (PICTURE_SIDE + GAP))


def test_a_sheet_of_nobody() -> None:
    maker = SheetMaker(FaceTracks(width=9, height=9, frames=3, cuts=(), tracks=()))
    assert maker.complete
    assert maker.sheet().shape[0] == 3


def test_faces_that_are_not_chosen_are_grey() -> None:
    faces = [track(number, 0, 1, (50, 50), 20) for number in (1, 2)]
    picture = torch.tensor([0.8, -0.2, -0.9])[:, None, None].expand(3, PICTURE_SIDE, PICTURE_SIDE)
    sheet = draw_sheet(faces, {1: picture, 2: picture}, Marks(chosen={2}))
    is_grey = (sheet == sheet[:1]).all(0)
    middle = GAP + PICTURE_SIDE + GAP // 2
    assert is_grey[:, :middle].all()
    shown = sheet[:, GAP + 60 : GAP + PICTURE_SIDE, GAP + PICTURE_SIDE + GAP :][:, :, : PICTURE_SIDE // 2]
    assert torch.equal(shown, picture[:, : shown.shape[1], : shown.shape[2]])
    assert torch.equal(
        draw_sheet(faces, {1: picture, 2: picture}), draw_sheet(faces, {1: picture, 2: picture}, Marks())
    )


def test_names_are_written_below_their_faces() -> None:
    faces = [track(number, 0, 1, (50, 50), 20) for number in (1, 2)]
    plain, named = (draw_sheet(faces, {}, Marks(names=names)) for names in ({}, {2: "Jo \u4e2d" + 60 * "x"}))
    assert named.shape[1] == plain.shape[1] + LINE_HEIGHT
    top, split = GAP + PICTURE_SIDE, GAP + PICTURE_SIDE + GAP
    assert torch.equal(named[:, : plain.shape[1] - GAP, :split], plain[:, :-GAP, :split])  # face 1 has none
    line = named[:, top + 7 : top + 7 + 5, split:]
    assert (line == 1).all(0).sum() > 60
    assert (named[:, :, split + PICTURE_SIDE :] < 0).all()  # what is too long is cut
