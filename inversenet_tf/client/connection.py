"""Connects to a server that restores images."""

from typing import TYPE_CHECKING

from inversenet_tf.client.served import Served
from inversenet_tf.imaging.checks import check_positive

if TYPE_CHECKING:
    from inversenet_tf.client.restoring import RestoringClient


def connect(
    server: str,
    model: str,
    *,
    version: int | None = None,
    protocol: str = "rest",
    timeout: float = 60.0,
    ca_certificate: str | None = None,
) -> "RestoringClient":
    """A client of one model on a server, to which it sends nothing yet.

    Args:
        server, model, version, protocol, ca_certificate: see `Served`.
        timeout: seconds for one image, including retries.

    Returns:
        A `RestoringClient`, which must be closed, as a `with` statement does.

    Raises:
        ValueError: an invalid argument, or a package that is not installed.
    """
    served = Served(
        server, model, version=version, protocol=protocol, ca_certificate=ca_certificate
    )
    check_positive("timeout", timeout)
    try:  # packages of an extra, which training does not need
        from inversenet_tf.client.restoring import RestoringClient

        if protocol == "grpc":
            from inversenet_tf.client.over_grpc import GrpcTransport as Transport
        else:
            from inversenet_tf.client.rest import RestTransport as Transport
    except ImportError as error:
        raise ValueError(
            "Expected the packages that `pip install grpcio requests tenacity "
            f"tensorflow-serving-api` installs. Received: {error}"
        ) from error
    return RestoringClient(served, Transport(served), timeout)
