"""The bundled lite model as training builds it."""
