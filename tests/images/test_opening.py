"""Safe opening of images (colour modes, metadata, limits, damaged files), lesion crop and shared geometry."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dermnote.errors import ImageError
from dermnote.images import opening
from dermnote.images.lesion_crop import find_lesion_square
from dermnote.images.opening import crop_lesion, decode_jpeg, encode_jpeg, open_image, prepare_image, to_square
from tests.places import REAL_DATA

ORIENTATION, GPS = 0x0112, 0x8825
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(400)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><script>alert(1)</script></svg>'


def corners(width: int = 48, height: int = 32) -> Image.Image:
    """Return four coloured quarters, so that every flip and rotation shows."""
    image = Image.new("RGB", (width, height), "red")
    image.paste("lime", (width // 2, 0, width, height // 2))
    image.paste("blue", (0, height // 2, width // 2, height))
    image.paste("yellow", (width // 2, height // 2, width, height))
    return image


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def skin(width: int = 600, height: int = 450, spot: tuple[int, int, int, int] | None = None) -> Image.Image:
    noise = np.random.default_rng(0).normal(0, 4, (height, width, 1))
    image = Image.fromarray((np.array([210, 170, 150]) + noise).clip(0, 255).astype(np.uint8))
    if spot:
        ImageDraw.Draw(image).ellipse(spot, fill=(90, 55, 40))
    return image


def close(one: Image.Image, other: Image.Image, within: float = 12) -> bool:
    difference = np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float))
    return one.size == other.size and float(difference.mean()) < within


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    transposes = "FLIP_LEFT_RIGHT ROTATE_180 FLIP_TOP_BOTTOM TRANSPOSE ROTATE_90 TRANSVERSE ROTATE_270"
    stored = corners()
    if orientation > 1:
        stored = stored.transpose(Image.Transpose[transposes.split()[orientation - 2]])
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    opened = open_image(encoded(stored, "JPEG", quality=95, subsampling=0, exif=exif))
    assert close(opened, corners())


def test_metadata_is_removed() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 1
    exif.get_ifd(GPS)[2] = (48.0, 12.0, 30.0)
    exif[0x010E] = "Jane Doe"
    opened = open_image(encoded(corners(), "JPEG", exif=exif, comment=b"Jane Doe", icc_profile=b"profile"))
    assert opened.info == {} and not opened.getexif()
    assert b"Jane" not in encode_jpeg(opened) and b"Exif" not in encode_jpeg(opened)
    broken_exif = encoded(corners(), "JPEG", exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xff")
    assert open_image(broken_exif).size == (48, 32)


def test_cmyk_is_converted_and_sixteen_bits_are_scaled_not_clipped() -> None:
    ramp = np.tile(np.linspace(0, 65535, 64, dtype=np.uint16), (32, 1))
    for kind in ("JPEG", "TIFF"):
        opened = open_image(encoded(corners().convert("CMYK"), kind))
        assert opened.mode == "RGB" and close(opened, corners(), within=30)
    for kind in ("PNG", "TIFF"):
        pixels = np.asarray(open_image(encoded(Image.fromarray(ramp), kind)))
        assert np.abs(pixels[..., 0].astype(int) - ramp // 257).max() <= 1


def test_transparency_becomes_white_and_animations_give_the_first_frame() -> None:
    image = Image.new("RGBA", (32, 32), (200, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 16, 32))
    opened = open_image(encoded(image))
    assert opened.getpixel((24, 16)) == (255, 255, 255) and opened.getpixel((8, 16)) == (0, 0, 255)
    image = corners(64, 64).quantize(8)
    opened = open_image(encoded(image, "PNG", transparency=image.getpixel((0, 0))))
    assert opened.getpixel((4, 4)) == (255, 255, 255) and opened.getpixel((60, 4)) == (0, 255, 0)
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue", "lime")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)
    assert open_image(data).getpixel((16, 16)) == (255, 0, 0)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
def test_a_truncated_file_is_refused(kind: str) -> None:
    data = encoded(skin(200, 150), kind)
    with pytest.raises(ImageError, match=r"damaged|not a picture"):
        open_image(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("name", "data"),
    [
        *[("phone.heic", HEIC), ("phone.jpg", HEIC), ("a.svg", SVG), ("a.png", SVG)],
        *[("empty.jpg", b""), ("notes.jpg", b"the patient reports\n" * 100), ("a.eps", b"%!PS-Adobe")],
    ],
)
def test_other_files_are_refused_by_name_without_their_folder(name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ImageError, match=f"^{name}") as caught:
        open_image(tmp_path / name)
    assert "JPEG" in caught.value.hint and "\n" not in str(caught.value) and str(tmp_path) not in str(caught.value)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    missing = [(tmp_path / "gone.jpg", "gone.jpg does not exist"), (tmp_path, "not a file"), ("a\0b.jpg", "b.jpg")]
    for source, message in missing:
        with pytest.raises(ImageError, match=message):
            open_image(source)
    (tmp_path / "a.png").write_bytes(encoded(corners(), "JPEG"))  # a wrong extension is accepted
    assert open_image(tmp_path / "a.png").size == corners().size


def bomb(width: int, height: int) -> bytes:
    """Return a PNG with the header of a huge image and no pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_000, 40_000])
def test_a_decompression_bomb_is_refused_before_decoding(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with warnings.catch_warnings(), pytest.raises(ImageError, match="pixels"):
        warnings.simplefilter("ignore")
        open_image(bomb(side, side))


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for source in (corners(), np.zeros((40, 40, 3), np.uint8)):
        with pytest.raises(ImageError, match="limit is 1,000 pixels"):
            open_image(source, max_pixels=1000)
    with pytest.raises(ImageError, match="at least 16"):
        open_image(encoded(Image.new("RGB", (8, 200))))
    with pytest.raises(ImageError, match="too narrow"):
        open_image(encoded(Image.new("L", (16, 4000))))
    monkeypatch.setattr(opening, "MAX_BYTES", 50)
    (tmp_path / "big.png").write_bytes(encoded(corners()))
    for source in (tmp_path / "big.png", encoded(corners()), io.BytesIO(encoded(corners()))):
        with pytest.raises(ImageError, match="larger than"):
            open_image(source)


def test_all_kinds_of_source_give_the_same_image(tmp_path: Path) -> None:
    data = encoded(corners())
    path = tmp_path / "corners.png"
    path.write_bytes(data)
    pixels = np.asarray(corners())
    for source in (path, str(path), data, io.BytesIO(data), corners(), pixels, pixels / 255):
        assert np.array_equal(np.asarray(open_image(source)), pixels)
    assert open_image(pixels[..., 0]).size == (48, 32)
    assert open_image(pixels[..., :1].astype(np.uint16) * 257).getpixel((0, 0)) == (255, 255, 255)
    source = corners().convert("RGBA")
    source.info["comment"] = "kept"
    open_image(source)
    assert source.mode == "RGBA" and source.info == {"comment": "kept"}
    shapes = [np.zeros(shape) for shape in ((40,), (40, 40, 2), (0, 40))]
    for array in (*shapes, np.full((40, 40), 2.0), np.full((40, 40), np.nan), np.zeros((40, 40), np.int64)):
        with pytest.raises(ImageError):
            open_image(array)


def test_clinical_images_stay_whole_and_a_box_overrides() -> None:
    image = corners(100, 60)
    assert crop_lesion(image, "clinical") == crop_lesion(image, None) == (image, "whole")
    cropped, crop = crop_lesion(image, "dermoscopy", (50.2, -5, 200, 30))
    assert (cropped.size, crop) == ((50, 30), "box")
    assert np.unique(np.asarray(cropped).reshape(-1, 3), axis=0).tolist() == [[0, 255, 0]]
    for box in [(200, 0, 300, 50), (10, 10, 12, 50), (float("nan"), 0, 50, 50), (0, 0, float("inf"), 50)]:
        with pytest.raises(ImageError, match="box"):
            crop_lesion(image, "clinical", box)
    with pytest.raises(ImageError, match="modality"):
        crop_lesion(image, "x-ray")


def test_otsu_finds_the_lesion() -> None:
    image = skin(spot=(330, 120, 480, 270))
    cropped, crop = crop_lesion(image, "dermoscopy")
    assert crop == "otsu" and cropped.width == cropped.height < 400
    dark, dark_in_crop = (int((np.asarray(each.convert("L")) < 120).sum()) for each in (image, cropped))
    assert dark_in_crop > 0.98 * dark


def test_a_black_frame_is_not_the_lesion() -> None:
    mask = Image.new("L", (600, 450))
    ImageDraw.Draw(mask).ellipse((75, 0, 525, 450), fill=255)
    framed = Image.new("RGB", (600, 450))
    framed.paste(skin(spot=(250, 180, 350, 270)), mask=mask)
    cropped, crop = crop_lesion(framed, "dermoscopy")
    assert crop == "otsu" and (np.asarray(cropped).max(axis=2) < 40).mean() < 0.02


def test_without_a_plausible_lesion_the_centre_square_is_taken() -> None:
    for image in (skin(), Image.new("RGB", (300, 200), "black"), Image.new("RGB", (300, 200), "white")):
        cropped, crop = crop_lesion(image, "dermoscopy")
        assert cropped.width == cropped.height
        assert crop != "centre" or cropped.size == (min(image.size),) * 2
    assert crop == "centre"


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "folder"), [("ham10000", "images_224"), ("milk10k", "images")])
def test_real_dermoscopic_lesions_are_kept(name: str, folder: str) -> None:
    kept = []
    for path in sorted((REAL_DATA / name / folder).glob("*.jpg"))[::40]:
        image = open_image(path)
        (x0, y0, x1, y1), _ = find_lesion_square(image)
        assert x1 - x0 == y1 - y0
        mask = REAL_DATA / name / "masks_224" / f"{path.stem}_segmentation.png"
        if mask.is_file():
            lesion = np.asarray(Image.open(mask).convert("L").resize(image.size, 0)) > 127
            kept.append(lesion[y0:y1, x0:x1].sum() / lesion.sum())
    assert not kept or np.mean(np.array(kept) >= 0.9) >= 0.9


def test_prepared_images_have_a_short_side_of_256() -> None:
    square = to_square(corners(90, 30), 24)
    assert square.size == (24, 24) and square.getpixel((2, 2)) == (255, 0, 0)
    assert prepare_image(skin(), "clinical")[0].size == (341, 256)
    assert prepare_image(skin(spot=(200, 150, 400, 300)), "dermoscopy")[0].size == (256, 256)
    distorted = skin(600, 400).resize((256, 256))
    assert prepare_image(distorted, "clinical", aspect=1.5)[0].size == (384, 256)
    assert prepare_image(distorted, "clinical", aspect=0.75)[0].size == (256, 341)


def test_large_jpegs_are_decoded_smaller_unless_a_box_is_given() -> None:
    image = skin(4000, 3000, spot=(1500, 1000, 2500, 2000))
    fast = open_image(encoded(image, "JPEG"), at_least=1024)
    assert fast.size == (2000, 1500) and close(fast, image.resize((2000, 1500)), within=5)
    image = Image.new("RGB", (4000, 3000), "white")
    image.paste("blue", (3000, 2000, 3400, 2400))
    prepared, crop = prepare_image(encoded(image, "JPEG", subsampling=0), "clinical", (3000, 2000, 3400, 2400))
    assert crop == "box" and close(prepared, Image.new("RGB", (256, 256), "blue"))


def test_stored_jpegs_are_deterministic() -> None:
    image = skin(341, 256, spot=(100, 60, 240, 200))
    data = encode_jpeg(image)
    assert encode_jpeg(image) == data and close(decode_jpeg(data, 224), image, within=4)
    assert decode_jpeg(data, 224).size == (341, 256)
    assert decode_jpeg(data, 64).size == (171, 128)  # half, and still twice the requested size
    with pytest.raises(ImageError):
        decode_jpeg(b"nothing", 64)
