"""One image restored by a server, however often it must be asked."""

import threading
import time

import tenacity
from absl import logging

from inversenet_tf.client.errors import ImageRefused, NotServed, ServingError, TooLate, TryAgain
from inversenet_tf.client.served import why_not_served

FIRST_WAIT, LONGEST_WAIT = 0.25, 5.0  # seconds; a random part of 0.25, 0.5, 1, 2, 4, 5, 5, ...
STATUS_TIMEOUT = 5.0
PNG_START = b"\x89PNG\r\n\x1a\n"


class RestoringClient:
    """A model on a server as a function of image files; several threads may call it.

    Args:
        served: the `Served` model.
        transport: `RestTransport` or `GrpcTransport`.
        timeout: seconds for one image, all tries and the waits between them included.
    """

    def __init__(self, served, transport, timeout):
        self._served, self._transport, self._timeout = served, transport, timeout
        self._closed = threading.Event()
        self._told = None

    def restore_bytes(self, image_bytes):
        """Restores one image.

        Args:
            image_bytes: a PNG or JPEG file of any size. The server neither turns it as its EXIF
                tag says nor keeps its alpha; see `files.sendable`.

        Returns:
            The restored image, a PNG file, as bytes.

        Raises:
            ImageRefused: the server does not restore this image.
            ServingError: the server restores none, or did not within the timeout.
        """
        deadline = time.monotonic() + self._timeout
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TryAgain),
            wait=tenacity.wait_random_exponential(FIRST_WAIT, LONGEST_WAIT),
            stop=tenacity.stop_before_delay(self._timeout)
            | tenacity.stop_when_event_set(self._closed),
            sleep=tenacity.sleep_using_event(self._closed),
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            return retrying(self._restore_once, image_bytes, deadline)
        except TryAgain as error:
            raise ServingError(
                f"Expected {self._served} within {self._timeout:g} s (--timeout). Received: {error}"
            ) from error

    def close(self):
        """Ends all waiting and the connections; calls under way fail."""
        self._closed.set()
        self._transport.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _restore_once(self, image_bytes, deadline):
        try:
            restored = self._transport.predict(image_bytes, max(deadline - time.monotonic(), 0.01))
        except TooLate as error:
            raise self._why_too_late(error) from error
        except NotServed as error:
            raise self._why_not_served() from error
        if not restored.startswith(PNG_START):
            raise ServingError(
                f"Expected a PNG from {self._served.address}. Received: {restored[:16]!r}"
            )
        return restored

    def _why_not_served(self):
        try:
            return why_not_served(self._served, self._transport.statuses(STATUS_TIMEOUT))
        except TooLate as error:
            return TryAgain(str(error))

    def _why_too_late(self, late):
        """The error of an answer that came too late: the image's, where the server is well."""
        try:
            statuses = self._transport.statuses(STATUS_TIMEOUT)
        except ServingError:
            statuses = []
        if any(status.state == "AVAILABLE" for status in statuses):
            return ImageRefused(
                f"Expected an image that {self._served.address} restores in time: raise --timeout "
                f"(or its --rest_api_timeout_in_ms), lower --parallel, or send a smaller image. "
                f"Received: {late}"
            )
        return ServingError(
            f"Expected {self._served} within {self._timeout:g} s (--timeout). Received: {late}"
        )

    def _tell(self, retry_state):
        """Logs what is waited for, once, however many threads wait for it."""
        reason = str(retry_state.outcome.exception())
        if reason != self._told:
            self._told = reason
            logging.warning("Trying again: %s", reason)
