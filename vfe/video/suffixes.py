"""Which files are images and which videos, by the ends of their names. It needs nothing but Python."""

from __future__ import annotations

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})
"""The images that are both read and written."""
READ_SUFFIXES = IMAGE_SUFFIXES | {".jfif", ".jpe", ".heic", ".heif", ".hif", ".avif"}
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mkv", ".mov")
"""The videos that are written; everything that is no image is read as a video."""
READ_VIDEO_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        "264 265 3g2 3gp amv apng asf avi avs2 bik divx dv dvr-ms evo f4v flc fli flv gif h261 h263 h264 h265 hevc ivf"
        " m1v m2p m2t m2ts m2v m4v mj2 mjpeg mjpg mk3d mkv mod mov mp4 mpe mpeg mpg mpv mts mxf nut nuv obu ogm ogv qt"
        " rm rmvb tod trp ts vc1 vob webm wmv wtv y4m"
    ).split()
)
"""The files that are taken for videos where nobody named them one by one, as in a folder. What is listed has pictures
in it as a rule and is read by FFmpeg: our own choice."""
