"""The node Load Face Restorer."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..vfe.options import ATTENTIONS, DEFAULT_DTYPE, DTYPES, LORA_STRENGTHS, AttentionName, LoraFile, ModelOptions
from .host import model_paths
from .host.linked_text import linked_text
from .host.model_paths import AUTO, LITE, NONE, path_of
from .remedies import in_node_terms
from .sockets.types import ADVANCED, CATEGORY, RestorerType, found_by

LORAS = 2
"""How many LoRAs the node takes."""
CONDITIONING = "conditioning"
"""The id of the input that takes a prompt from ComfyUI's own text encoder."""


class LoadWanRestorer(io.ComfyNode):
    """Load Face Restorer makes a RESTORER of files, whose weights ComfyUI then loads and unloads."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the inputs and outputs; the lists are of the files that are there now."""
        loras = model_paths.listed(model_paths.LORA_FOLDERS)
        return io.Schema(
            node_id="VFE_LoadWanRestorer",
            display_name="Load Face Restorer",
            category=CATEGORY,
            **found_by("load wan restorer, restorer, restoration, face restore model, vividface, dvface, wan, lite"),
            description="Loads a one-step restorer: the lite one that comes with the pack and runs without a GPU, or a "
            "Wan2.1 DiT such as VividFace with its VAE and prompt embedding. What a file is, its content says.",
            inputs=[
                io.Combo.Input(
                    "model",
                    options=[LITE, *model_paths.listed(model_paths.RESTORER_FOLDERS)],
                    default=LITE,
                    tooltip="The bundled lite restorer, or a file of diffusion_models, vfe or checkpoints: "
                    "a Wan2.1 text-to-video DiT, GGUF too, or a lite restorer.",
                ),
                io.Combo.Input(
                    "vae",
                    options=[AUTO, *model_paths.listed(model_paths.VAE_FOLDERS)],
                    default=AUTO,
                    tooltip="Wan2.1's VAE; auto finds it among the files. The lite restorer has no use for it.",
                    **ADVANCED,
                ),
                io.Combo.Input(
                    "context",
                    options=[AUTO, *model_paths.listed(model_paths.PROMPT_EMBEDDING_FOLDERS)],
                    default=AUTO,
                    tooltip="The embedded prompt, a file of a few KB. auto takes the conditioning, or finds a file in "
                    "vfe and text_encoders. The lite restorer has no use for it.",
                    **ADVANCED,
                ),
                io.Combo.Input(
                    "adapter",
                    options=[NONE, *model_paths.listed(model_paths.ADAPTER_FOLDERS)],
                    default=NONE,
                    tooltip="Codebooks and fusion of DVFace that were trained with this DiT.",
                    **ADVANCED,
                ),
                *(widget for number in range(1, LORAS + 1) for widget in _lora_inputs(number, loras)),
                io.Combo.Input(
                    "dtype",
                    options=list(DTYPES),
                    default=DEFAULT_DTYPE,
                    tooltip="Number format that the model computes in; auto is the fastest of the device.",
                ),
                *_speed_inputs(),
                _conditioning_input(),
            ],
            outputs=[RestorerType.Output(display_name="restorer", tooltip="For the other nodes of this pack.")],
            hidden=[io.Hidden.prompt, io.Hidden.unique_id],
        )

    @classmethod
    def fingerprint_inputs(cls, model: str, vae: str, context: str, adapter: str, **others: object) -> object:
        """Return paths, times and sizes of the files that are meant: ComfyUI runs the node again when they change."""
        loras = [others[f"lora_{number}"] for number in range(1, LORAS + 1)]
        by_file = model != LITE and (context != AUTO or CONDITIONING not in others)  # else the graph says what is meant
        stamps = [
            model_paths.fingerprint(model, model_paths.RESTORER_FOLDERS),
            model_paths.fingerprint(vae, model_paths.VAE_FOLDERS) if model != LITE else [],
            model_paths.fingerprint(context, model_paths.PROMPT_EMBEDDING_FOLDERS) if by_file else [],
            model_paths.fingerprint(adapter, model_paths.ADAPTER_FOLDERS),
            *(model_paths.fingerprint(str(lora), model_paths.LORA_FOLDERS) for lora in loras),
        ]
        return repr(stamps)

    @classmethod
    @in_node_terms()
    def check_lazy_status(cls, model: str, context: str, **others: object) -> list[str]:
        """Return whether a prompt that is connected has to be embedded: only where no file has it already."""
        is_waiting = CONDITIONING in others and others[CONDITIONING] is None
        if context != AUTO or not is_waiting:
            return []
        from .backend.load_chosen import needs_embedding

        return [CONDITIONING] if needs_embedding(model, cls._linked_text()) else []

    @classmethod
    @in_node_terms()
    def execute(
        cls,
        model: str,
        vae: str,
        context: str,
        adapter: str,
        dtype: str,
        attention: AttentionName,
        fp8: bool = ModelOptions.fp8,
        compile: bool = ModelOptions.compile,
        conditioning: Any = None,  # noqa: ANN401 - whatever another node gives
        **loras: str | float,
    ) -> io.NodeOutput:
        """Return the RESTORER. `context` is the prompt embedding, whose input kept the name of Wan's code.

        Raises VFEError for files that are missing, of another kind, or do not fit each other.
        """
        from .backend.load_chosen import Chosen, Computing, load_chosen

        added = tuple(
            LoraFile(path_of(str(name), model_paths.LORA_FOLDERS), float(loras[f"strength_{number}"]))
            for number in range(1, LORAS + 1)
            if (name := loras[f"lora_{number}"]) != NONE and loras[f"strength_{number}"] != 0
        )
        chosen = Chosen(
            model=model,
            vae=vae,
            context=context,
            conditioning=conditioning,
            text=cls._linked_text(),
            adapter=adapter,
            loras=added,
        )
        how = Computing(dtype=dtype, attention=attention, fp8=fp8, compiled=compile)
        return io.NodeOutput(load_chosen(chosen, how))

    @classmethod
    def _linked_text(cls) -> str | None:
        """Return the text that is connected, where the graph says it."""
        return None if cls.hidden is None else linked_text(cls.hidden.prompt, cls.hidden.unique_id, CONDITIONING)


def _speed_inputs() -> list[io.Input]:
    """Return the inputs that make a Wan DiT faster or smaller; new ones are last, for saved workflows count them."""
    return [
        io.Combo.Input(
            "attention",
            options=list(ATTENTIONS),
            default=ModelOptions.attention,
            tooltip="Kernel of a Wan DiT's attention: PyTorch's own, or an installed one, which is tried out before it "
            "is used.",
            **ADVANCED,
        ),
        io.Boolean.Input(
            "fp8",
            default=ModelOptions.fp8,
            optional=True,
            tooltip="Store a Wan DiT's linear layers in 8 bits: half the memory of bf16, and a little less precise. "
            "What a GGUF file quantises stays as it is.",
            **ADVANCED,
        ),
        io.Boolean.Input(
            "compile",
            default=ModelOptions.compile,
            optional=True,
            tooltip="Compile a Wan DiT with torch.compile, when it is loaded whole: the first window takes long, "
            "further ones are faster. Needs Triton, or a C++ compiler on a CPU.",
            **ADVANCED,
        ),
    ]


def _conditioning_input() -> io.Conditioning.Input:
    """Return the input that takes a prompt; what is before it runs only where no file has the prompt."""
    return io.Conditioning.Input(
        CONDITIONING,
        optional=True,
        lazy=True,
        tooltip="The prompt of a Wan DiT, from CLIP Text Encode with Load CLIP of type wan; VividFace's is empty. It "
        "is embedded once and kept in models/vfe: the text encoder is not loaded again.",
    )


def _lora_inputs(number: int, names: list[str]) -> list[io.Input]:
    """Return the two inputs of one LoRA: its file, of `names`, and its strength."""
    return [
        io.Combo.Input(
            f"lora_{number}",
            options=[NONE, *names],
            default=NONE,
            tooltip="A LoRA of the Wan DiT, added as ComfyUI adds them. Not for the lite restorer.",
            **ADVANCED,
        ),
        io.Float.Input(
            f"strength_{number}",
            default=LoraFile.strength,
            min=LORA_STRENGTHS.least,
            max=LORA_STRENGTHS.most,
            step=0.05,
            tooltip=f"How much of LoRA {number} is added.",
            **ADVANCED,
        ),
    ]
