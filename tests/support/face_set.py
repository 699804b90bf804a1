"""A tiny labelled set for the face net: drawn faces in portraits, a clip and a scene, in the layout of the real one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer

SIDE = 128


class DrawnFace(NamedTuple):
    """Where a face is drawn and how large it is, in pixels."""

    x: float
    y: float
    half: float  # of its height; it is 0.8 as wide

    @property
    def box(self) -> npt.NDArray[np.float32]:
        reach = np.array([0.8 * self.half, self.half], np.float32)
        centre = np.array([self.x, self.y], np.float32)
        return np.concatenate([centre - reach, centre + reach])

    @property
    def landmarks(self) -> npt.NDArray[np.float32]:
        unit = np.array([[-0.35, -0.2], [0.35, -0.2], [0, 0.15], [-0.3, 0.5], [0.3, 0.5]], np.float32)
        return unit * self.half + np.array([self.x, self.y], np.float32)


def draw(faces: list[DrawnFace], width: int = SIDE, height: int = SIDE, tone: int = 0) -> npt.NDArray[np.uint8]:
    """(H, W, 3): ovals with eyes, nose and mouth on a plain ground."""
    image = np.full((height, width, 3), (60 + tone, 90, 130 - tone), np.float32)
    y, x = np.mgrid[0:height, 0:width] + 0.5
    for face in faces:
        image[((x - face.x) / (0.8 * face.half)) ** 2 + ((y - face.y) / face.half) ** 2 < 1] = (225, 180, 150)
        for index, (px, py) in enumerate(face.landmarks):
            wide, high = (0.14, 0.1) if index < 3 else (0.2, 0.08)
            spot = ((x - px) / (wide * face.half)) ** 2 + ((y - py) / (high * face.half)) ** 2 < 1
            image[spot] = (40, 30, 30) if index < 2 else (190, 110, 100)
    return image.astype(np.uint8)


def mask_of(face: DrawnFace) -> npt.NDArray[np.uint8]:
    """(96, 96): the oval, a tenth larger, in a portrait."""
    y, x = (np.mgrid[0:96, 0:96] + 0.5) * SIDE / 96
    inside = ((x - face.x) / (0.96 * face.half)) ** 2 + ((y - face.y) / (1.17 * face.half)) ** 2 < 1
    return np.asarray(inside, np.uint8)


def write_face_set(root: Path) -> Path:
    """Four portraits (one not open), a clip of four frames and a scene with two faces; returns `root`."""
    for folder in ("hq_image", "hq_video", "scene_video", "labels"):
        (root / folder).mkdir(parents=True)
    items: list[dict[str, Any]] = []
    for index in range(4):
        face = DrawnFace(58 + 4 * index, 66, 36 + 2 * index)
        _write(root / f"hq_image/face{index}.png", [draw([face], tone=10 * index)])
        items.append(_portrait(root, f"hq_image/face{index}.png", "hq_image", [face]))
    items[-1]["open"] = False
    moving = [DrawnFace(56 + 4 * t, 64, 38) for t in range(4)]
    _write(root / "hq_video/clip.mp4", [draw([face]) for face in moving])
    items.append(_portrait(root, "hq_video/clip.mp4", "hq_video", moving))
    scene = [DrawnFace(60, 80, 30), DrawnFace(180, 70, 34)]
    _write(root / "scene_video/scene.mp4", [draw(scene, 256, 144)] * 3)
    boxes = np.stack([np.append(face.box, 0.9) for face in scene]).astype(np.float32)
    np.savez(root / "scene_video/scene.npz", boxes=np.stack([boxes] * 3), count=np.full(3, 2))
    items.append(
        {"file": "scene_video/scene.mp4", "label": "scene_video/scene.npz", "kind": "scene_video", "frames": 3,
         "size": [256, 144], "faces_max": 2, "open": True}
    )  # fmt: skip
    (root / "manifest.json").write_text(json.dumps({"items": items}))
    return root


def _portrait(root: Path, file: str, kind: str, faces: list[DrawnFace]) -> dict[str, Any]:
    label = f"labels/{Path(file).stem}.npz"
    np.savez(
        root / label,
        masks=np.packbits(np.stack([mask_of(face) for face in faces]), axis=-1),
        boxes=np.stack([face.box for face in faces]),
        landmarks5=np.stack([face.landmarks for face in faces]),
        valid=np.ones(len(faces), np.uint8),
    )
    return {"file": file, "label": label, "kind": kind, "frames": len(faces), "size": [SIDE, SIDE], "open": True}


def _write(path: Path, frames: list[npt.NDArray[np.uint8]]) -> None:
    """A PNG of one frame or an H.264 clip."""
    codec, pixels = ("png", "rgb24") if path.suffix == ".png" else ("libx264", "yuv420p")
    container = av.open(str(path), "w", format="image2" if path.suffix == ".png" else None)
    assert isinstance(container, OutputContainer)
    with container:
        stream = container.add_stream(codec, rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], pixels
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format=pixels)))
        container.mux(stream.encode(None))
