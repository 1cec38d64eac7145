"""Pictures of a page, made small enough to travel with the project."""

import base64
import functools
import io
import re

LARGEST = 50_000  # bytes: a chart is smaller, a sheet of faces is not
SHRINK, QUALITY = 0.75, 60  # of what is larger; its own pixels stay visible
PICTURE = re.compile(r"data:image/(?:png|webp);base64,([A-Za-z0-9+/=]+)")


def smaller_pictures(body: str) -> str:
    """Encode each embedded PNG or WebP of more than LARGEST bytes anew, as WebP at three quarters
    of its size; its place stays.

    Args:
        body: HTML.
    """

    # Base64 writes three bytes in four characters.
    def shrink(match: re.Match) -> str:
        decoded_bytes = len(match[1]) * 3 // 4
        return _smaller(match[0], match[1]) if decoded_bytes > LARGEST else match[0]

    return PICTURE.sub(shrink, body)


@functools.lru_cache(maxsize=256)
def _smaller(source: str, encoded: str) -> str:
    """Encode one picture anew.

    The old encoding stays where it is no larger, or where it does not decode.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        picture = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")
    except (UnidentifiedImageError, ValueError, OSError):
        return source

    # A face of few pixels stays recognisable, since a sheet shows each of them several times.
    width, height = (max(1, round(side * SHRINK)) for side in picture.size)
    smaller = picture.resize((width, height), Image.Resampling.LANCZOS)
    packed = io.BytesIO()
    smaller.save(packed, format="WEBP", quality=QUALITY, method=4)
    made = f"data:image/webp;base64,{base64.b64encode(packed.getvalue()).decode()}"
    return made if len(made) < len(source) else source
