"""Files of pictures as tensors."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageOps


def opened(content: bytes) -> Image.Image:
    """Decode a picture, upright, in colour ("RGB") or grey ("L").

    Raises
    ------
    OSError
        If these are not the bytes of a picture.
    """
    try:
        with Image.open(BytesIO(content)) as file:
            picture = ImageOps.exif_transpose(file)
    except (SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise OSError(str(error)) from error
    if picture.mode == "F":
        raise OSError("its numbers have no largest value")
    if picture.mode.startswith("I"):  # 16 bits a pixel
        eight = (np.asarray(picture) / 257).round().clip(0, 255)
        return Image.fromarray(eight.astype(np.uint8))
    grey = picture.mode in ("1", "L", "LA")
    return picture.convert("L" if grey else "RGB")


def resized(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Bring to (height, width), averaging where that is smaller."""
    height, width = size
    return picture.resize((width, height), Image.Resampling.BILINEAR)
