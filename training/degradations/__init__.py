"""What footage suffers: families of degradations, each a config, and their mix.

A family's config has `draw(rng)`, which gives a frozen draw; a draw has `apply(clean, rng)`. Both take all chance from
`rng`, so that a seed fixes every byte. Families: `keep` (VividFace, KEEP), `second_order` (RealBasicVSR), `film`,
`webcam`. Beside `keep`, a family is a `chain` of pieces, one piece a file.
"""
