"""A lite model without its prior: `python -m training.lite.drop_prior lite.safetensors plain.safetensors`.

What is left is what it was before a prior was fused into it, and has to be trained on, as the DiT has got used to it.
"""

from __future__ import annotations

from dataclasses import replace

from vfe.models.lite import LiteModel

from .rewrite import rewrite


def drop_prior(net: LiteModel) -> LiteModel:
    """Return a model of the same codec, DiT and prompt embedding, without prior and fusion."""
    plain = LiteModel(replace(net.config, prior=None, fusion=None))
    plain.codec, plain.dit, plain.context = net.codec, net.dit, net.context
    return plain


def main(arguments: list[str] | None = None) -> None:
    rewrite(drop_prior, __doc__, arguments)


if __name__ == "__main__":
    main()
