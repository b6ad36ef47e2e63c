"""From a server's address to a function that restores images."""

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
    """A client of one model on one server, without asking the server for anything yet.

    Args:
        server, model, version, protocol, ca_certificate: see `Served`.
        timeout: seconds for one image, retries included.

    Returns:
        A `RestoringClient`, to be closed, which a `with` does.

    Raises:
        ValueError: an argument that cannot be, or a package that is not installed.
    """
    served = Served(
        server, model, version=version, protocol=protocol, ca_certificate=ca_certificate
    )
    check_positive("timeout", timeout)
    try:  # they belong to an extra, which training does not need
        from inversenet_tf.client.restoring import RestoringClient

        if protocol == "grpc":
            from inversenet_tf.client.over_grpc import GrpcTransport as Transport
        else:
            from inversenet_tf.client.rest import RestTransport as Transport
    except ImportError as error:
        raise ValueError(
            "Expected the packages of pip install grpcio requests tenacity tensorflow-serving-api. "
            f"Received: {error}"
        ) from error
    return RestoringClient(served, Transport(served), timeout)
