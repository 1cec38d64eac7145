"""Pictures of a page, made small enough to travel with the project."""

import base64
import functools
import io
import re

LARGEST = 50_000  # bytes: a chart is smaller, a sheet of faces is not
SHRINK, QUALITY = 0.75, 60  # of what is larger; its own pixels stay visible
PICTURE = re.compile(r"data:image/(?:png|webp);base64,([A-Za-z0-9+/=]+)")


def smaller_pictures(body: str) -> str:
    """Encode each embedded PNG or WebP of more than LARGEST bytes anew, as WebP at three quarters of its size; its place stays.

    Args:
        body: HTML.
    """
    return PICTURE.sub(lambda found: _smaller(found[0], found[1]) if len(found[1]) * 3 // 4 > LARGEST else found[0], body)


@functools.lru_cache(maxsize=256)
def _smaller(source: str, encoded: str) -> str:
    """Encode one picture anew; the old encoding stays where it is no larger, or where it does not decode."""
    from PIL import Image, UnidentifiedImageError

    try:
        picture = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")
    except (UnidentifiedImageError, ValueError, OSError):
        return source
    packed = io.BytesIO()
    size = (max(1, round(picture.width * SHRINK)), max(1, round(picture.height * SHRINK)))
    picture.resize(size, Image.Resampling.LANCZOS).save(packed, format="WEBP", quality=QUALITY, method=4)
    made = "data:image/webp;base64," + base64.b64encode(packed.getvalue()).decode()
    return made if len(made) < len(source) else source
