"""CMYK photographs, by the profile of their press and without one."""

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageCms

from inversenet_tf.imaging.files.photographs import read_photograph

COLOURS = skimage.data.chelsea()[100:140, 100:160]  # 40 x 60
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


# The names are given, as a profile holds the second it was made in.
@pytest.mark.parametrize("profile", [None, b"no profile", SRGB], ids=["none", "broken", "RGB"])
def test_cmyk_without_a_usable_profile(tmp_path, profile):
    options = {} if profile is None else {"icc_profile": profile}
    Image.fromarray(COLOURS).convert("CMYK").save(tmp_path / "cmyk.tif", **options)
    photograph = read_photograph(tmp_path / "cmyk.tif")
    assert (
        photograph.notes == ["CMYK converted to RGB without a profile"]
        and photograph.profile is None
    )
    np.testing.assert_allclose(photograph.pixels, COLOURS, atol=1)


def test_cmyk_is_converted_by_its_profile(tmp_path):
    """A press whose only visible ink is black: every other ink is as good as none."""
    inks = np.zeros((2, 4, 4), np.uint8)
    inks[0, :, 3] = [0, 85, 170, 255]
    inks[1, :, 0] = [0, 85, 170, 255]
    image = Image.fromarray(inks, "CMYK")
    image.save(tmp_path / "cmyk.tif", icc_profile=black_ink_profile())
    photograph = read_photograph(tmp_path / "cmyk.tif")
    assert photograph.notes == ["CMYK converted to sRGB"] and photograph.profile is None
    assert (photograph.pixels[1] == 255).all()
    lightness = np.array([100, 200 / 3, 100 / 3, 0])  # CIE L* of the four, by the profile
    luminance = np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.3)
    gray = np.where(
        luminance > 0.0031308, 1.055 * luminance ** (1 / 2.4) - 0.055, 12.92 * luminance
    )
    assert photograph.pixels.shape[-1] == 1 and photograph.is_stored_as_rgb
    np.testing.assert_allclose(photograph.pixels[0], np.round(255 * gray)[:, None], atol=1)


def black_ink_profile():
    """An ICC profile (version 2.4) of four inks, of which cyan, magenta, yellow leave no trace."""

    def number(value, size=4):
        return int(value).to_bytes(size, "big")

    identity = b"".join(number(e) for e in (65536, 0, 0, 0, 65536, 0, 0, 0, 65536))
    linear = bytes(range(256))
    grid = b"".join(bytes([255 - 255 * (i & 1), 128, 128]) for i in range(16))  # Lab; black is last
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + linear * 4 + grid + linear * 3
    table += bytes(-len(table) % 4)
    white = b"XYZ " + bytes(4) + number(63190) + number(65536) + number(54061)
    body, entries, offset = b"", b"", 128 + 4 + 2 * 12
    for name, tag in ((b"A2B0", table), (b"wtpt", white)):
        entries += name + number(offset + len(body)) + number(len(tag))
        body += tag
    header = bytes(4) + number(0x02400000) + b"prtrCMYKLab " + bytes(12) + b"acsp" + bytes(28)
    header += number(63190) + number(65536) + number(54061)
    content = header.ljust(124, b"\0") + number(2) + entries + body
    return number(len(content) + 4) + content
