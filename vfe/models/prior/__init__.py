"""The spatio-temporal dual-codebook prior (DVFace, section 3.2)."""

from .config import EncoderScale as EncoderScale
from .config import PredictorConfig as PredictorConfig
from .config import PriorConfig as PriorConfig
from .prior import DualCodebookPrior as DualCodebookPrior
from .prior import Prior as Prior
from .prior import PriorStrength as PriorStrength
