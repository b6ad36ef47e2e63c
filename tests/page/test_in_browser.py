"""The page as a visitor has it, in Chromium. Skipped where Gradio, Playwright or it is missing."""

import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

gradio = pytest.importorskip("gradio", reason="the page needs the extra app")
playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright to drive a browser")

from inversenet_tf.imaging.files.photographs import read_photograph  # noqa: E402
from inversenet_tf.imaging.physics.kernel_estimate import KernelEstimate  # noqa: E402
from inversenet_tf.page import restoring  # noqa: E402
from inversenet_tf.page.limits import Limits  # noqa: E402
from inversenet_tf.page.server import served  # noqa: E402

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
QUIET += ["--disable-background-networking", "--disable-component-update"]
PATIENCE = 120_000  # milliseconds
COLOURS = skimage.data.chelsea()[:200, :300]
SLOW = Image.fromarray(COLOURS[:64, :96])  # whose search does not end by itself


@pytest.fixture(scope="module")
def browser():
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser ({', '.join(BROWSERS)}) is installed")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=program, args=QUIET)
        yield opened
        opened.close()


def search(pixels, progress):
    """Finds a blur at once, but in the small photograph never."""
    while pixels.shape == np.asarray(SLOW).shape:
        progress(0.5)
        time.sleep(0.05)
    return KernelEstimate(np.full((3, 3), 1 / 9, np.float32), 0.01, 0.5)


@pytest.fixture(scope="module")
def address(browser):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(restoring, "estimate_kernel", search)
        with served(limits=Limits(size=200_000, pixels=130_000)) as where:
            yield where


@pytest.fixture
def page(browser, address):
    """Opened, with the addresses that it asks for as `page.asked`."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE)
    opened.asked = []
    opened.on("request", lambda request: opened.asked.append(request.url))
    opened.goto(address)
    opened.wait_for_selector("#examples img")
    yield opened
    context.close()


def drop(page, path):
    page.locator("#upload input[type=file]").set_input_files(path)


def click(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def wait_for(page, place, words):
    page.wait_for_function(
        "([place, words]) => document.querySelector(place)?.innerText.includes(words)",
        arg=[place, words],
    )


def slider_position(page):
    return page.locator("#slider .inner").bounding_box()["x"]


def test_drop_restore_compare_and_download(page, address, tmp_path):
    Image.fromarray(COLOURS).save(tmp_path / "cat.jpg", quality=90)
    drop(page, tmp_path / "cat.jpg")
    wait_for(page, "#about", "cat.jpg: 300 × 200 pixels, colour, 8 bits.")
    click(page, "Restore")
    wait_for(page, "#found", "A blur of 3x3 pixels, noise 0.0100 (white is 1), confidence 50%.")
    assert page.locator("#slider img").count() == 2
    before = slider_position(page)
    handle = page.locator("#slider .inner").bounding_box()
    middle = (handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 150, middle[1], steps=5)
    page.mouse.up()
    assert slider_position(page) > before + 100
    with page.expect_download() as download:
        page.locator("#download").click()
    assert download.value.suggested_filename == "cat-restored.jpg"
    result = read_photograph(download.value.path()).pixels.astype(int)
    assert result.shape == COLOURS.shape and 1 < np.abs(result - COLOURS).mean() < 40
    elsewhere = [url for url in page.asked if not url.startswith((address, "data:", "blob:"))]
    assert elsewhere == []


def test_an_example_is_chosen(page):
    page.locator("#examples button img").first.click()
    wait_for(page, "#about", "chelsea.png: 437 × 286")
    page.wait_for_selector("#slider img")


@pytest.mark.parametrize(
    "name, pixels, words",
    [
        ("notes.png", None, "Cannot read the image notes.png: not an image."),
        ("wide.png", (500, 300), "at most 0.13 megapixels. Received: 500x300 pixels in wide.png."),
    ],
)
def test_a_file_that_is_refused_says_why(page, tmp_path, name, pixels, words):
    if pixels is None:
        (tmp_path / name).write_text("no image")
    else:
        Image.new("RGB", pixels).save(tmp_path / name)
    drop(page, tmp_path / name)
    wait_for(page, "#about", words)
    assert not page.get_by_role("button", name="Restore", exact=True).is_enabled()


def test_a_file_that_is_too_large_is_not_taken(page, tmp_path):
    (tmp_path / "large.png").write_bytes(bytes(200_001))
    drop(page, tmp_path / "large.png")
    wait_for(page, "body", "exceed the maximum allowed size")


def test_work_is_cancelled(page, tmp_path):
    SLOW.save(tmp_path / "slow.png")
    drop(page, tmp_path / "slow.png")
    wait_for(page, "#about", "slow.png: 96 × 64")
    click(page, "Restore")
    wait_for(page, "body", "Estimating the blur")
    click(page, "Cancel")
    wait_for(page, "#found", "Cancelled.")
    page.wait_for_function("!document.querySelector('#restore').disabled")


@pytest.mark.parametrize("path", ["/etc/passwd", str(Path(__file__).resolve())])
def test_no_file_of_the_server_is_given_away(address, path):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{address}gradio_api/file={path}")
    assert refused.value.code == 403
