"""Reads label maps in PNGs, whose headers are checked before their pixels."""

import io
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from amd_jax.data.reading import files

RULE = "A map must be a PNG"
WAY_OUT = "Replace or remove it."
SIGNATURE = b"\x89PNG\r\n\x1a\n"
INTEGERS = ("1", "P", "L", "I", "I;16")  # modes of a PNG whose pixels are categories
MOST_PIXELS = 1 << 25  # of a map; they take four bytes each in memory
MOST_BYTES = 1 << 26  # of a file
MOST_BESIDE = 1 << 22  # bytes of a file besides pixels: texts and colour profiles are copied
MOST_CHUNKS = 1 << 16  # parts of a file
STRIP = 1 << 18  # pixels that are converted at a time

Palette = Sequence[Sequence[int]] | np.ndarray  # RGB of every category, 0 to 255


def picture(file: Path, palette: Palette = ()) -> np.ndarray:
    """Categories of a PNG, integers (H, W): indices, greys, or places of colours in a palette.

    Raises:
        ValueError: if it cannot be read, or has colours that are not in the palette.
    """
    files.check_file(file, RULE)
    with files.decoding(RULE, str(file), WAY_OUT), file.open("rb") as handle:
        image = opened(handle)
        image.load()
    if image.mode in ("RGB", "RGBA") and len(palette):
        return _converted(image, lambda strip, top: _places(strip, palette, file, top))
    if image.mode not in INTEGERS:
        raise ValueError(
            f"The pixels of a map must be categories; {file} holds {image.mode} colours. Save "
            "indices (mode P or L), or name the colours: palette=((0, 0, 0), (128, 64, 128), ...)."
        )
    return _converted(image, lambda strip, top: strip)


def shape(file: Path) -> tuple[int, int]:
    """(H, W) of a PNG, of which only the header is read. ValueError for an invalid one."""
    files.check_file(file, RULE)
    with files.decoding(RULE, str(file), WAY_OUT), file.open("rb") as handle:
        return _shape(handle)


def colours(file: Path) -> np.ndarray:
    """The palette of a PNG, uint8 (k, 3); empty if it has none."""
    with files.decoding(RULE, str(file), WAY_OUT), file.open("rb") as handle:
        return np.array(opened(handle).getpalette() or [], np.uint8).reshape(-1, 3)


def opened(handle: BinaryIO) -> Image.Image:
    """A PNG whose pixels are not read yet. ValueError for one that takes too much, or moves."""
    height, width = _shape(handle)
    _check_chunks(handle)
    handle.seek(0)
    try:
        image = Image.open(handle, formats=("PNG",))
    except UnidentifiedImageError as error:  # its text shows Python's name of the handle
        raise ValueError("its header is damaged") from error
    if image.size != (width, height):
        raise ValueError("it has two headers")
    if (frames := getattr(image, "n_frames", 1)) > 1:
        raise ValueError(f"it is an animation of {frames:,} pictures")
    return image


def _shape(handle: BinaryIO) -> tuple[int, int]:
    """(H, W) in the header of a PNG."""
    start = handle.read(24)
    if len(start) < 24 or start[:8] != SIGNATURE or start[12:16] != b"IHDR":
        raise ValueError("it does not begin as a PNG")
    width, height = struct.unpack(">2I", start[16:])
    if not 0 < width * height <= MOST_PIXELS:
        raise ValueError(
            f"it has {height} x {width} pixels, and 1 to {MOST_PIXELS:,} can be read: cut it in "
            "tiles"
        )
    return height, width


def _check_chunks(handle: BinaryIO) -> None:
    """Raise ValueError for a PNG whose parts take more than those of a map."""
    size = handle.seek(0, io.SEEK_END)
    if size > MOST_BYTES:
        raise ValueError(f"it has {size:,} bytes, over {MOST_BYTES:,}: save it compressed")
    handle.seek(len(SIGNATURE))
    beside = 0
    for _ in range(MOST_CHUNKS):
        head = handle.read(8)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head)
        beside += 0 if kind == b"IDAT" else length
        if beside > MOST_BESIDE:
            name = kind.decode("latin-1")
            raise ValueError(f"it has over {MOST_BESIDE:,} bytes besides pixels, as in {name}")
        handle.seek(length + 4, io.SEEK_CUR)
    raise ValueError(f"it has over {MOST_CHUNKS:,} chunks")


def _converted(image: Image.Image, convert: Callable[[np.ndarray, int], np.ndarray]) -> np.ndarray:
    """`convert(strip, top)` of the strips of an image, (H, W), each with the row it begins at."""
    step = max(1, STRIP // image.width)

    def strip(top: int) -> np.ndarray:
        bottom = min(top + step, image.height)
        return convert(np.asarray(image.crop((0, top, image.width, bottom))), top)

    first = strip(0)
    whole = np.empty((image.height, image.width), first.dtype)
    whole[:step] = first
    for top in range(step, image.height, step):
        whole[top : top + step] = strip(top)
    return whole


def _places(pixels: np.ndarray, palette: Palette, file: Path, top: int) -> np.ndarray:
    """RGB (H, W, 3 or 4) -> the place of every colour in the palette, uint8 (H, W)."""
    weights = np.array([1 << 16, 1 << 8, 1])
    index = {code: k for k, code in enumerate((np.array(palette) @ weights).tolist())}
    codes = pixels[..., :3] @ weights
    colours, inverse = np.unique(codes, return_inverse=True)
    for code in colours.tolist():
        if code not in index:
            row, column = np.unravel_index((codes == code).argmax(), codes.shape)
            raise ValueError(
                f"Colours must be in the palette of {len(palette)}; got "
                f"{tuple(pixels[row, column, :3].tolist())} in {file} at row {top + row}, column "
                f"{column}. Add it to the palette, or save the maps without blending."
            )
    return np.array([index[code] for code in colours.tolist()], np.uint8)[inverse].reshape(
        codes.shape
    )
