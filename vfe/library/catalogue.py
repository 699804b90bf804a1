"""The files that `vfe models pull` knows: where they are, how large, which hash, under which licence.

Sizes and hashes are those of the hub's LFS pointers, as published in manifests of other projects that pin these
files. An entry without a hash is one whose hash no public text gives: then the hub is asked before the download.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..types import VFEError

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class CatalogueEntry:
    """One file on the Hugging Face hub."""

    name: str
    """What the user types to get it."""
    what: str
    """What it is, for people."""
    repository: str
    file: str
    """Its path in the repository."""
    folder: str
    """The subfolder that it is put into, called as ComfyUI calls it."""
    licence: str
    bytes: int | None = None
    sha256: str | None = None

    def __post_init__(self) -> None:
        if self.sha256 is not None and not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"{self.name}: sha256={self.sha256!r} is not 64 hexadecimal digits in lower case")
        if (self.sha256 is None) != (self.bytes is None):
            raise ValueError(f"{self.name}: size and hash are known together or not at all")
        if self.bytes is not None and self.bytes <= 0:
            raise ValueError(f"{self.name}: bytes={self.bytes}, needed is a positive number")

    @property
    def file_name(self) -> str:
        """The name of the file on this machine."""
        return self.file.rsplit("/", 1)[-1]


_COMFY = "Comfy-Org/Wan_2.1_ComfyUI_repackaged"
_WAN = "Wan-AI/Wan2.1-T2V-1.3B"
_FACES = "fofr/comfyui"
_APACHE = "Apache-2.0"

CATALOGUE = (
    CatalogueEntry(
        name="vividface",
        what="VividFace restorer, a Wan2.1 1.3B DiT (torch pickle)",
        repository="shulianz/VividFace",
        file="vividface.ckpt",
        folder="diffusion_models",
        licence="Apache-2.0 by its README",
    ),
    CatalogueEntry(
        name="wan2.1-vae",
        what="Wan2.1 VAE, bf16, as ComfyUI has it",
        repository=_COMFY,
        file="split_files/vae/wan_2.1_vae.safetensors",
        folder="vae",
        licence=_APACHE,
        bytes=253_815_318,
        sha256="2fc39d31359a4b0a64f55876d8ff7fa8d780956ae2cb13463b0223e15148976b",
    ),
    CatalogueEntry(
        name="wan2.1-vae-fp32",
        what="Wan2.1 VAE, fp32, the official file (torch pickle)",
        repository=_WAN,
        file="Wan2.1_VAE.pth",
        folder="vae",
        licence=_APACHE,
        bytes=507_609_880,
        sha256="38071ab59bd94681c686fa51d75a1968f64e470262043be31f7a094e442fd981",
    ),
    CatalogueEntry(
        name="wan2.1-t2v-1.3b-bf16",
        what="Wan2.1 1.3B DiT, bf16, as ComfyUI has it",
        repository=_COMFY,
        file="split_files/diffusion_models/wan2.1_t2v_1.3B_bf16.safetensors",
        folder="diffusion_models",
        licence=_APACHE,
        bytes=2_838_104_528,
        sha256="6f999b0d6cb9a72b3d98ac386ed96f57f8cecae13994a69232514ea4974ad5fd",
    ),
    CatalogueEntry(
        name="wan2.1-t2v-1.3b-fp16",
        what="Wan2.1 1.3B DiT, fp16, as ComfyUI has it",
        repository=_COMFY,
        file="split_files/diffusion_models/wan2.1_t2v_1.3B_fp16.safetensors",
        folder="diffusion_models",
        licence=_APACHE,
        bytes=2_838_303_560,
        sha256="be531024cd9018cb5b48c40cfbb6a6191645b1c792eb8bf4f8c1c6e10f924dc5",
    ),
    CatalogueEntry(
        name="umt5-xxl-fp8",
        what="umT5-XXL text encoder, fp8 scaled, as ComfyUI has it",
        repository=_COMFY,
        file="split_files/text_encoders/umt5_xxl_fp8_e4m3fn_scaled.safetensors",
        folder="text_encoders",
        licence=_APACHE,
        bytes=6_735_906_897,
        sha256="c3355d30191f1f066b26d93fba017ae9809dce6c627dda5f6a66eaa651204f68",
    ),
    CatalogueEntry(
        name="umt5-xxl-fp16",
        what="umT5-XXL text encoder, fp16, as ComfyUI has it",
        repository=_COMFY,
        file="split_files/text_encoders/umt5_xxl_fp16.safetensors",
        folder="text_encoders",
        licence=_APACHE,
        bytes=11_366_399_385,
        sha256="7b8850f1961e1cf8a77cca4c964a358d303f490833c6c087d0cff4b2f99db2af",
    ),
    CatalogueEntry(
        name="umt5-xxl-bf16",
        what="umT5-XXL text encoder, bf16, the official file (torch pickle)",
        repository=_WAN,
        file="models_t5_umt5-xxl-enc-bf16.pth",
        folder="text_encoders",
        licence=_APACHE,
        bytes=11_361_920_418,
        sha256="7cace0da2b446bbbbc57d031ab6cf163a3d59b366da94e5afe36745b746fd81d",
    ),
    CatalogueEntry(
        name="umt5-tokenizer",
        what="umT5 tokenizer, for prompts that are not empty",
        repository=_WAN,
        file="google/umt5-xxl/spiece.model",
        folder="text_encoders",
        licence=_APACHE,
        bytes=4_548_313,
        sha256="e3909a67b780650b35cf529ac782ad2b6b26e6d1f849d3fbb6a872905f452458",
    ),
    CatalogueEntry(
        name="facexlib-retinaface",
        what="facexlib's RetinaFace, the heavier face detector (torch pickle)",
        repository=_FACES,
        file="facedetection/detection_Resnet50_Final.pth",
        folder="facedetection",
        licence="MIT",
        bytes=109_497_761,
        sha256="6d1de9c2944f2ccddca5f5e010ea5ae64a39845a86311af6fdf30841b0a5a16d",
    ),
    CatalogueEntry(
        name="facexlib-bisenet",
        what="facexlib's BiSeNet, the heavier face parser (torch pickle)",
        repository=_FACES,
        file="facedetection/parsing_bisenet.pth",
        folder="facedetection",
        licence="MIT",
        bytes=53_289_463,
        sha256="468e13ca13a9b43cc0881a9f99083a430e9c0a38abd935431d1c28ee94b26567",
    ),
)


def catalogue_entry(name: str) -> CatalogueEntry:
    """Return the entry of that name, in upper or lower case; VFEError that lists the names where there is none."""
    for entry in CATALOGUE:
        if entry.name == name.casefold():
            return entry
    raise VFEError(f"unknown model {name!r} to pull; known: {', '.join(entry.name for entry in CATALOGUE)}")
