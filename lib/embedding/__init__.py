"""Where synthetic images lie among the real ones: maps of feature space, and comparisons in it."""

from lib.embedding.comparison import (
    compare_in_spaces,
    compare_pools,
    require_halves_alike,
    separability_sentences,
)
from lib.embedding.maps import (
    METHODS,
    MapSettings,
    distances_of_maps,
    draw_features,
    first_of_each,
    images_to_show,
    join_sources,
    make_maps,
    map_caption,
    map_features,
    maps_by_setting,
    method_text,
    quality_of_maps,
    reduce_features,
)

__all__ = [
    "METHODS",
    "MapSettings",
    "compare_in_spaces",
    "compare_pools",
    "distances_of_maps",
    "draw_features",
    "first_of_each",
    "images_to_show",
    "join_sources",
    "make_maps",
    "map_caption",
    "map_features",
    "maps_by_setting",
    "method_text",
    "quality_of_maps",
    "reduce_features",
    "require_halves_alike",
    "separability_sentences",
]
