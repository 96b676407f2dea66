"""Pictures for the README: screenshots as PNGs of 256 colours, a third of the size. Written only when asked for."""

import os
import struct
import zlib
from collections import Counter

from playwright.sync_api import Locator, Page, ViewportSize

from tests.browser.appearance import FULL
from tests.browser.demo_servers import ROOT

FOLDER = ROOT / "docs" / "pictures"
SIZE: ViewportSize = {"width": 1200, "height": 760}
SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = 256


def take_picture(page: Page, name: str, shown: Locator | None = None) -> None:
    """A picture of what is shown now, where COUNTERSIGN_PICTURES is set; otherwise nothing.

    Args:
        shown: is at the picture's foot; otherwise the picture begins at the page's top.
    """
    if os.environ.get("COUNTERSIGN_PICTURES"):
        page.set_viewport_size(SIZE)
        page.evaluate("scrollTo(0, 0)")
        if shown is not None:
            shown.evaluate("element => { element.scrollIntoView({ block: 'end' }); scrollBy(0, 16); }")
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{name}.png").write_bytes(shrink_png(page.screenshot(animations="disabled", caret="hide")))
        page.set_viewport_size(FULL)


def shrink_png(png: bytes) -> bytes:
    """The same picture with a palette: the commonest colours as they are, any other as its nearest."""
    width, height, pixels = read_pixels(png)
    palette = [colour for colour, _ in Counter(pixels).most_common(COLOURS)]
    places = {colour: place for place, colour in enumerate(palette)}
    for colour in set(pixels) - places.keys():
        places[colour] = min(range(len(palette)), key=lambda place: measure_distance(palette[place], colour))
    starts = range(0, width * height, width)
    rows = b"".join(b"\0" + bytes(places[pixel] for pixel in pixels[start : start + width]) for start in starts)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", b"".join(palette)), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return SIGNATURE + b"".join(write_chunk(kind, data) for kind, data in parts)


def read_pixels(png: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height and the RGB of each pixel of a screenshot (8 bits a channel, not interlaced)."""
    place, packed, header = len(SIGNATURE), b"", b""
    while place < len(png):
        (length,), kind = struct.unpack_from(">I", png, place), png[place + 4 : place + 8]
        data = png[place + 8 : place + 8 + length]
        header, packed = (data, packed) if kind == b"IHDR" else (header, packed + data if kind == b"IDAT" else packed)
        place += length + 12
    width, height, depth, colour_type, *_ = struct.unpack(">IIBBBBB", header)
    channels = {2: 3, 6: 4}[colour_type]
    assert depth == 8
    stride, raw = width * channels, zlib.decompress(packed)
    above, pixels = bytearray(stride), []
    for start in range(0, height * (stride + 1), stride + 1):
        row = bytearray(raw[start + 1 : start + 1 + stride])
        undo_filter(raw[start], row, above, channels)
        pixels += [bytes(row[first : first + 3]) for first in range(0, stride, channels)]
        above = row
    return width, height, pixels


def undo_filter(kind: int, row: bytearray, above: bytearray, channels: int) -> None:
    """PNG specification, third edition, section 9.2."""
    for place in range(len(row)):
        left, corner = (row[place - channels], above[place - channels]) if place >= channels else (0, 0)
        up = above[place]
        match kind:
            case 0:
                return
            case 1:
                guess = left
            case 2:
                guess = up
            case 3:
                guess = (left + up) // 2
            case _:
                guess = min((left, up, corner), key=lambda one: abs(left + up - corner - one))
        row[place] = (row[place] + guess) & 255


def measure_distance(one: bytes, other: bytes) -> int:
    return sum((first - second) ** 2 for first, second in zip(one, other, strict=True))


def write_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
