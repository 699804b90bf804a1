"""A scorer without weights: measures of the picture, mapped to the five dimensions. It ranks; it does not see."""
