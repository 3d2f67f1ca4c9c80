import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from dermnote.errors import PictureError
from dermnote.llm.chat_request import LONGEST_SIDE, jpeg_payload
from tests.llm.note_requests import picture_with_exif


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def as_png(image: Image.Image, file: io.BytesIO, exif: Image.Exif) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Patient", "Patient-Marker-Miller")
    image.save(file, "PNG", exif=exif, pnginfo=info)


def as_jpeg(image: Image.Image, file: io.BytesIO, exif: Image.Exif) -> None:
    image.save(file, "JPEG", exif=exif, comment=b"Comment-Marker", icc_profile=b"Profile-Marker", dpi=(301, 301))


def as_webp(image: Image.Image, file: io.BytesIO, exif: Image.Exif) -> None:
    image.save(file, "WEBP", exif=exif, xmp=b"Xmp-Marker")


@pytest.mark.parametrize("save", [as_jpeg, as_png, as_webp])
def test_nothing_but_pixels_goes_out(save):
    data = picture_with_exif(save)
    assert b"Marker" in data
    for source in (data, opened(data).convert("RGB")):
        sent = jpeg_payload(source)
        assert b"Marker" not in sent
        assert set(opened(sent).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert opened(sent).size == (512, 341)


def test_a_small_picture_is_not_enlarged_and_a_caller_keeps_his_own():
    image = Image.new("RGB", (300, 200), "peru")
    image.info["comment"] = "kept"
    assert opened(jpeg_payload(image)).size == (300, 200)
    assert image.info == {"comment": "kept"}
    assert image.size == (300, 200)


def test_a_stripe_keeps_its_shape():
    assert opened(jpeg_payload(Image.new("RGB", (2000, 200)))).size == (LONGEST_SIDE, 51)


def test_the_same_picture_makes_the_same_bytes():
    pixels = np.random.default_rng(0).integers(0, 255, (80, 90, 3), dtype=np.uint8)
    assert jpeg_payload(Image.fromarray(pixels)) == jpeg_payload(Image.fromarray(pixels))


def test_what_is_no_picture_is_refused():
    with pytest.raises(PictureError):
        jpeg_payload(b"no picture")
    with pytest.raises(PictureError, match="RGBA, not RGB"):
        jpeg_payload(Image.new("RGBA", (50, 50)))
