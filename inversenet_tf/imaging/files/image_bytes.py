"""Restores image files inside a TensorFlow graph: PNG or JPEG strings in, PNG strings out."""

import tensorflow as tf

from inversenet_tf.imaging.files.pixels import PNG_COMPRESSION, WHITE, WHITE_16_BITS, to_luma

GRAY_COMPONENTS = 2  # at most: gray and alpha
# Pixels that a file's header may claim: decoding allocates them all, however few bytes the file
# has. Restoring so many takes some 16 GiB.
MOST_PIXELS = 100_000_000
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_SIZE = slice(16, 24)  # bytes of the header with width and height, big-endian


def restored_bytes(image_bytes, restore, channels, told=()):
    """Applies a function of images to image files one by one, as their sizes may differ.

    Args:
        image_bytes: string [batch], each a PNG of 8 or 16 bits or a JPEG, of any size.
        restore: function from float32 [1, height, width, channels] in [0, 1] to images of any
            size, with 1 or 3 channels, in the same range.
        channels: 1 (luma) or 3 (RGB), as `restore` takes them.
        told: further inputs of `restore`, tensors [batch, ...], passed as [1, ...] with each image.

    Returns:
        string [batch] of 8-bit PNGs: gray where `restore` returns gray or where `channels` is 3 and
        the file was gray, otherwise RGB. Alpha is dropped, and EXIF orientation ignored.
    """

    def restore_one(elements):
        contents, *own = elements
        image, is_gray = decoded(contents, channels)
        result = restore(image[tf.newaxis], *(values[tf.newaxis] for values in own))[0]
        if result.shape[-1] == 3 and channels == 3:
            return tf.cond(is_gray, lambda: encoded(to_luma(result)), lambda: encoded(result))
        return encoded(result)

    # One at a time: each already uses all cores, and memory is limited to that of the largest.
    return tf.map_fn(
        restore_one,
        (image_bytes, *told),
        fn_output_signature=tf.string,
        parallel_iterations=1,
    )


def decoded(contents, channels):
    """Decodes a PNG or JPEG string to (float32 [height, width, channels] in [0, 1], is it gray?).

    Pixels are those of `images.read_image`, for files whose EXIF tag says that they are upright.

    Raises:
        tf.errors.InvalidArgumentError: when the graph runs, for a string that is no PNG or JPEG, or
            whose header claims more than `MOST_PIXELS`.
    """
    is_jpeg = tf.io.is_jpeg(contents)
    size = tf.cond(is_jpeg, lambda: _jpeg_size(contents), lambda: _png_size(contents))
    fits = tf.reduce_all(size > 0) & (tf.reduce_prod(size) <= MOST_PIXELS)
    expected = f"Expected an image of 1 to {MOST_PIXELS} pixels. Received: sides"
    with tf.control_dependencies([tf.debugging.Assert(fits, [expected, size])]):
        contents = tf.identity(contents)
    image, is_gray = tf.cond(
        is_jpeg, lambda: _decoded_jpeg(contents), lambda: _decoded_png(contents)
    )
    if channels == 1:
        # Rounded to 8 bits, as Pillow's conversion is.
        image = tf.cond(
            is_gray, lambda: image[..., :1], lambda: tf.round(to_luma(image) * WHITE) / WHITE
        )
    return tf.ensure_shape(image, (None, None, channels)), is_gray


def _jpeg_size(contents):
    """Returns height and width from the header alone, int64 [2]."""
    return tf.cast(tf.io.extract_jpeg_shape(contents)[:2], tf.int64)


def _png_size(contents):
    """Returns width and height from the header alone, int64 [2], negative beyond 31 bits."""
    is_png = tf.equal(tf.strings.substr(contents, 0, len(PNG_SIGNATURE)), PNG_SIGNATURE)
    is_png &= tf.strings.length(contents) >= PNG_SIZE.stop
    with tf.control_dependencies([tf.debugging.Assert(is_png, ["Expected a PNG or a JPEG."])]):
        sides = tf.strings.substr(contents, PNG_SIZE.start, PNG_SIZE.stop - PNG_SIZE.start)
    return tf.cast(tf.io.decode_raw(sides, tf.int32, little_endian=False), tf.int64)


def _decoded_jpeg(contents):
    is_gray = tf.io.extract_jpeg_shape(contents)[2] <= GRAY_COMPONENTS
    # As Pillow decodes: exact arithmetic, smooth chroma.
    pixels = tf.io.decode_jpeg(
        contents, channels=3, dct_method="INTEGER_ACCURATE", fancy_upscaling=True
    )
    return tf.cast(pixels, tf.float32) / WHITE, is_gray


def _decoded_png(contents):
    """Decodes a PNG, with or without a palette; 8 bits become 16 without loss."""
    pixels = tf.io.decode_png(contents, dtype=tf.uint16)
    image = tf.cast(pixels, tf.float32) / WHITE_16_BITS
    is_gray = tf.shape(image)[-1] <= GRAY_COMPONENTS
    image = tf.cond(is_gray, lambda: tf.repeat(image[..., :1], 3, axis=-1), lambda: image[..., :3])
    return image, is_gray


def encoded(image):
    """Encodes an image [height, width, 1 or 3] in [0, 1] as an 8-bit PNG, rounded to nearest."""
    pixels = tf.cast(tf.round(tf.clip_by_value(image, 0.0, 1.0) * WHITE), tf.uint8)
    return tf.io.encode_png(pixels, PNG_COMPRESSION)
