"""The ComfyUI nodes. Only this package imports ComfyUI; what the nodes call is in `vfe/`."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from .compare_videos import CompareVideos
from .dual_codebook_prior import DualCodebookPrior
from .enhance_face_image import EnhanceFaceImage
from .enhance_face_video import EnhanceFaceVideo
from .enhance_folder import EnhanceFolder
from .face_crop import FaceCrop
from .face_mask import FaceMask
from .face_paste import FacePaste
from .host.model_paths import register_folder
from .load_restorer import LoadWanRestorer
from .one_step_enhance import OneStepEnhance
from .replacements import offer_replacements
from .restore_faces import RestoreFaces
from .vae_decode_tiled import VAEDecodeTiled

NODES: list[type[io.ComfyNode]] = [
    LoadWanRestorer,
    FaceMask,
    FaceCrop,
    FacePaste,
    RestoreFaces,
    DualCodebookPrior,
    OneStepEnhance,
    VAEDecodeTiled,
    EnhanceFaceVideo,
    EnhanceFaceImage,
    EnhanceFolder,
    CompareVideos,
]


class FaceEnhancement(ComfyExtension):
    """The extension that ComfyUI asks `comfy_entrypoint` for: it lists the nodes of this pack."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """Return the classes of the nodes, and make the folder of the pack's models known."""
        register_folder()  # `on_load` is not called by ComfyUI before 0.4
        return NODES

    async def on_load(self) -> None:
        """Offer nodes of this pack in the place of others that are missing; called once, by newer ComfyUI."""
        await offer_replacements()
