"""HDR10: the display a picture was made on and its brightest pixels, as encoders and PNG files take them.

The numbers are SMPTE ST 2086's and CTA-861.3's: chromaticities in steps of 0.00002, luminance in steps of 0.0001
cd/m2, light levels in cd/m2. Needs nothing but Python.
"""

from __future__ import annotations

from typing import NamedTuple

_PQ, _HLG = 16, 18
_BT2020, _P3_DCI, _P3_D65 = 9, 11, 12
_UNSAID = frozenset({0, 2, 3})  # code points that are reserved or mean unspecified


class Display(NamedTuple):
    """The display on which a picture was made, by chromaticities and luminance."""

    red: tuple[int, int]
    green: tuple[int, int]
    blue: tuple[int, int]
    white: tuple[int, int]
    """Chromaticities are (x, y) in steps of 0.00002."""
    darkest: int
    brightest: int
    """Luminance is in steps of 0.0001 cd/m2."""


class Light(NamedTuple):
    """The brightest pixel of a clip (MaxCLL) and the brightest mean of a frame (MaxFALL), in cd/m2."""

    brightest_pixel: int
    brightest_frame: int


class Hdr(NamedTuple):
    """What a stream says of its light; None where it says nothing."""

    display: Display | None = None
    light: Light | None = None
    dynamic: tuple[str, ...] = ()
    """The names of what it says anew for each frame, which no output keeps."""

    def encoder_parameters(self, names: tuple[str, str]) -> str:
        """Return the parameters of x264 or x265, which call them by `names` and take the same values."""
        parts = []
        if self.display is not None:
            points = zip("GBR", (self.display.green, self.display.blue, self.display.red), strict=True)
            colours = "".join(f"{letter}({x},{y})" for letter, (x, y) in points)
            white = "WP({},{})".format(*self.display.white)
            parts.append(f"{names[0]}={colours}{white}L({self.display.brightest},{self.display.darkest})")
        if self.light is not None:
            parts.append(f"{names[1]}={self.light.brightest_pixel},{self.light.brightest_frame}")
        return ":".join(parts)

    def notes_on_dynamic(self) -> list[str]:
        """Return a sentence for each kind of metadata that is said anew for each frame, and so is left out."""
        return [f"{kind} metadata is left out: it describes each frame of the source" for kind in self.dynamic]


NO_HDR = Hdr()


class ColourCoding(NamedTuple):
    """How the RGB values of a picture are meant: code points of ISO/IEC 23091-2, and the light of HDR10."""

    primaries: int
    transfer: int
    hdr: Hdr = NO_HDR

    @property
    def is_hdr(self) -> bool:
        """Whether the values are those of PQ or HLG (ITU-R BT.2100)."""
        return self.transfer in (_PQ, _HLG)

    @property
    def matters(self) -> bool:
        """Whether a viewer that is not told takes the picture for another one: it is HDR or of a wide gamut."""
        known = self.transfer not in _UNSAID and self.primaries not in _UNSAID
        return known and (self.is_hdr or self.primaries in (_BT2020, _P3_DCI, _P3_D65))
