"""Degradations in torch, for whole batches on any device: each clip has its own, steady over its frames."""

from .chain import Damage as Damage
from .chain import DamageConfig as DamageConfig
