"""What footage suffers: families of degradations, each a config, and their mix.

A family's config has `draw(rng)`, which gives a frozen degradation; that has `apply(clean, rng)`. Both take all chance
from `rng`, so that a seed fixes every byte. The families are `keep` (of the papers VividFace and KEEP), `second_order`
(ours, after RealBasicVSR), `film` and `webcam`, and true to their sources `dicface` and `realbasicvsr`. All but `keep`
are a `chain` of pieces, one piece a file. `presets` names them for users.
"""
