import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dermnote.errors import PictureError
from dermnote.images import opening
from dermnote.images.lesion_crop import find_lesion_square
from dermnote.images.opening import (
    crop_lesion,
    decode_jpeg,
    encode_jpeg,
    open_picture,
    prepare_picture,
    resize_short_side,
    to_square,
)

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
ORIENTATION, GPS = 0x0112, 0x8825


def corners(width: int = 48, height: int = 32) -> Image.Image:
    """Four coloured quarters, so that every flip and turn shows."""
    image = Image.new("RGB", (width, height), "red")
    image.paste("lime", (width // 2, 0, width, height // 2))
    image.paste("blue", (0, height // 2, width // 2, height))
    image.paste("yellow", (width // 2, height // 2, width, height))
    return image


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
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
def test_every_orientation_stands_upright(orientation):
    # How a camera would store an upright picture so that the tag turns it back.
    stored_as = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = corners()
    stored = upright.transpose(stored_as[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    opened = open_picture(encoded(stored, "JPEG", quality=95, subsampling=0, exif=exif))
    assert close(opened, upright)


def test_all_metadata_is_dropped():
    exif = Image.Exif()
    exif[ORIENTATION] = 1
    exif.get_ifd(GPS)[2] = (48.0, 12.0, 30.0)
    exif[0x010E] = "Jane Doe"
    opened = open_picture(encoded(corners(), "JPEG", exif=exif, comment=b"Jane Doe", icc_profile=b"profile"))
    assert opened.info == {}
    assert not opened.getexif()
    assert b"Jane" not in encode_jpeg(opened)
    assert b"Exif" not in encode_jpeg(opened)


def test_broken_exif_does_not_refuse_the_picture():
    data = encoded(corners(), "JPEG", exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xff")
    assert open_picture(data).size == (48, 32)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(kind):
    opened = open_picture(encoded(corners().convert("CMYK"), kind))
    assert opened.mode == "RGB"
    assert close(opened, corners(), within=30)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_clipped(kind):
    ramp = np.tile(np.linspace(0, 65535, 64, dtype=np.uint16), (32, 1))
    opened = np.asarray(open_picture(encoded(Image.fromarray(ramp), kind)))
    assert np.abs(opened[..., 0].astype(int) - ramp // 257).max() <= 1


def test_transparent_becomes_white():
    image = Image.new("RGBA", (32, 32), (200, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 16, 32))
    opened = open_picture(encoded(image))
    assert opened.getpixel((24, 16)) == (255, 255, 255)
    assert opened.getpixel((8, 16)) == (0, 0, 255)


def test_palette_with_transparency():
    image = corners(64, 64).quantize(8)
    opened = open_picture(encoded(image, "PNG", transparency=image.getpixel((0, 0))))
    assert opened.getpixel((4, 4)) == (255, 255, 255)
    assert opened.getpixel((60, 4)) == (0, 255, 0)


def test_animated_gives_the_first_frame():
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue", "lime")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)
    assert open_picture(data).getpixel((16, 16)) == (255, 0, 0)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
def test_a_cut_off_file_is_refused(kind):
    data = encoded(skin(200, 150), kind)
    with pytest.raises(PictureError, match=r"damaged|not a picture"):
        open_picture(data[: len(data) // 2])


def test_a_picture_cut_off_behind_pillow_s_back_is_refused():
    data = encoded(skin(200, 150), "JPEG")
    with pytest.raises(PictureError):
        open_picture(Image.open(io.BytesIO(data[: len(data) // 2])))


def test_what_is_no_picture_is_refused_by_name_and_without_its_folder(tmp_path):
    for name, data in {"empty.jpg": b"", "notes.jpg": b"the patient said\n" * 100, "a.eps": b"%!PS-Adobe"}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(PictureError) as caught:
            open_picture(tmp_path / name)
        assert str(caught.value).startswith(name)
        assert str(tmp_path) not in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(PictureError, match=r"gone.jpg does not exist"):
        open_picture(tmp_path / "gone.jpg")
    with pytest.raises(PictureError, match="not a file"):
        open_picture(tmp_path)
    with pytest.raises(PictureError):
        open_picture("a\0b.jpg")


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(400)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(("name", "data"), [("phone.heic", HEIC), ("phone.jpg", HEIC), ("a.svg", SVG), ("a.png", SVG)])
def test_formats_that_are_not_read_are_refused_with_what_to_do(name, data, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(PictureError, match=f"^{name}") as caught:
        open_picture(tmp_path / name)
    assert "JPEG" in caught.value.hint and "\n" not in str(caught.value)


def test_a_wrong_extension_does_no_harm(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(corners(), "JPEG"))
    assert open_picture(tmp_path / "a.png").size == corners().size


def bomb(width: int, height: int) -> bytes:
    """The header of a PNG that claims to be huge; there are no pixels to decode."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_000, 40_000])
def test_a_decompression_bomb_is_refused_before_decoding(side, monkeypatch):
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with warnings.catch_warnings(), pytest.raises(PictureError, match="pixels"):
        warnings.simplefilter("ignore")
        open_picture(bomb(side, side))


def test_limits(tmp_path, monkeypatch):
    with pytest.raises(PictureError, match="limit is 1,000 pixels"):
        open_picture(corners(), max_pixels=1000)
    with pytest.raises(PictureError, match="limit is 1,000 pixels"):
        open_picture(np.zeros((40, 40, 3), np.uint8), max_pixels=1000)
    with pytest.raises(PictureError, match="at least 16"):
        open_picture(encoded(Image.new("RGB", (8, 200))))
    with pytest.raises(PictureError, match="too narrow"):
        open_picture(encoded(Image.new("L", (16, 4000))))
    monkeypatch.setattr(opening, "MAX_BYTES", 50)
    (tmp_path / "big.png").write_bytes(encoded(corners()))
    for source in (tmp_path / "big.png", encoded(corners()), io.BytesIO(encoded(corners()))):
        with pytest.raises(PictureError, match="larger than"):
            open_picture(source)


def test_the_same_picture_from_every_kind_of_source(tmp_path):
    data = encoded(corners())
    path = tmp_path / "corners.png"
    path.write_bytes(data)
    pixels = np.asarray(corners())
    for source in (path, str(path), data, io.BytesIO(data), corners(), pixels, pixels / 255):
        assert np.array_equal(np.asarray(open_picture(source)), pixels)
    assert open_picture(pixels[..., 0]).size == (48, 32)
    assert open_picture(pixels[..., :1].astype(np.uint16) * 257).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((40,)),
        np.zeros((40, 40, 2)),
        np.zeros((0, 40)),
        np.full((40, 40), 2.0),
        np.full((40, 40), np.nan),
        np.zeros((40, 40), np.int64),
    ],
)
def test_arrays_that_are_no_pictures(array):
    with pytest.raises(PictureError):
        open_picture(array)


def test_otsu_finds_the_spot_and_leaves_the_rest():
    spot = (330, 120, 480, 270)
    cropped, how = crop_lesion(skin(spot=spot), "dermoscopy")
    assert how == "otsu"
    assert cropped.width == cropped.height < 400
    dark = np.asarray(cropped.convert("L")) < 120
    whole = np.asarray(skin(spot=spot).convert("L")) < 120
    assert dark.sum() > 0.98 * whole.sum()


def test_a_black_frame_is_not_taken_for_the_lesion():
    image = skin(spot=(250, 180, 350, 270))
    framed = Image.new("RGB", (600, 450))
    mask = Image.new("L", (600, 450))
    ImageDraw.Draw(mask).ellipse((75, 0, 525, 450), fill=255)
    framed.paste(image, mask=mask)
    cropped, how = crop_lesion(framed, "dermoscopy")
    assert how == "otsu"
    assert (np.asarray(cropped).max(axis=2) < 40).mean() < 0.02


def test_without_a_plausible_lesion_the_centre_square():
    for image in (skin(), Image.new("RGB", (300, 200), "black"), Image.new("RGB", (300, 200), "white")):
        cropped, how = crop_lesion(image, "dermoscopy")
        if how == "centre":
            assert cropped.size == (min(image.size),) * 2
        assert cropped.width == cropped.height
    assert crop_lesion(Image.new("RGB", (300, 200), "white"), "dermoscopy")[1] == "centre"


def test_clinical_is_left_whole_and_a_box_wins():
    image = corners(100, 60)
    assert crop_lesion(image, "clinical") == (image, "whole")
    assert crop_lesion(image, None) == (image, "whole")
    cropped, how = crop_lesion(image, "dermoscopy", (50.2, -5, 200, 30))
    assert (cropped.size, how) == ((50, 30), "box")
    assert set(cropped.get_flattened_data() if hasattr(cropped, "get_flattened_data") else cropped.getdata()) == {
        (0, 255, 0)
    }
    for box in [(200, 0, 300, 50), (10, 10, 12, 50), (float("nan"), 0, 50, 50), (0, 0, float("inf"), 50)]:
        with pytest.raises(PictureError, match="box"):
            crop_lesion(image, "clinical", box)
    with pytest.raises(PictureError, match="modality"):
        crop_lesion(image, "x-ray")


def test_prepared_pictures_have_a_short_side_of_256():
    assert prepare_picture(skin(), "clinical")[0].size == (341, 256)
    assert prepare_picture(skin(spot=(200, 150, 400, 300)), "dermoscopy")[0].size == (256, 256)


def test_a_squashed_picture_gets_its_shape_back():
    squashed = skin(600, 400).resize((256, 256))
    assert prepare_picture(squashed, "clinical", aspect=1.5)[0].size == (384, 256)
    assert prepare_picture(squashed, "clinical", aspect=0.75)[0].size == (256, 341)


def test_a_box_fits_a_picture_however_large():
    image = Image.new("RGB", (4000, 3000), "white")
    image.paste("blue", (3000, 2000, 3400, 2400))
    prepared, how = prepare_picture(encoded(image, "JPEG", subsampling=0), "clinical", (3000, 2000, 3400, 2400))
    assert how == "box"
    assert close(prepared, Image.new("RGB", (256, 256), "blue"))


def test_a_large_jpeg_is_decoded_smaller_but_looks_the_same():
    image = skin(4000, 3000, spot=(1500, 1000, 2500, 2000))
    fast = open_picture(encoded(image, "JPEG"), at_least=1024)
    assert fast.size == (2000, 1500)
    assert close(fast, image.resize((2000, 1500)), within=5)


def test_sizes():
    assert resize_short_side(corners(100, 50), 25).size == (50, 25)
    assert resize_short_side(corners(50, 100), 200).size == (200, 400)
    square = to_square(corners(90, 30), 24)
    assert square.size == (24, 24)
    assert square.getpixel((2, 2)) == (255, 0, 0)


def test_stored_pictures_decode_the_same_way_again():
    image = skin(341, 256, spot=(100, 60, 240, 200))
    data = encode_jpeg(image)
    assert encode_jpeg(image) == data
    assert close(decode_jpeg(data, 224), image, within=4)
    assert decode_jpeg(data, 224).size == (341, 256)
    assert decode_jpeg(data, 64).size == (171, 128)  # half, and still twice what is asked for
    with pytest.raises(PictureError):
        decode_jpeg(b"nothing", 64)


def test_opening_leaves_the_source_alone():
    source = corners().convert("RGBA")
    source.info["comment"] = "kept"
    open_picture(source)
    assert source.mode == "RGBA"
    assert source.info == {"comment": "kept"}


@pytest.mark.real_data
@pytest.mark.parametrize("name, folder", [("ham10000", "images_224"), ("milk10k", "images")])
def test_real_dermoscopy_keeps_its_lesion(name, folder):
    paths = sorted((REAL_DATA / name / folder).glob("*.jpg"))[::40]
    kept = []
    for path in paths:
        cropped, _ = crop_lesion(open_picture(path), "dermoscopy")
        assert cropped.width == cropped.height
        mask = REAL_DATA / name / "masks_224" / f"{Path(path).stem}_segmentation.png"
        if mask.is_file():
            lesion = np.asarray(Image.open(mask).convert("L").resize(open_picture(path).size, 0)) > 127
            x0, y0, x1, y1 = find_lesion_square(open_picture(path))[0]
            kept.append(lesion[y0:y1, x0:x1].sum() / lesion.sum())
    assert not kept or np.mean(np.array(kept) >= 0.9) >= 0.9
