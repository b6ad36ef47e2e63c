"""Warm-up requests, which TF Serving answers before it accepts others."""

import tensorflow as tf
from absl import logging

from inversenet_tf.imaging.files.atomic import written_aside

WITHOUT_EXTRA = (
    "No warm-up requests written: they need pip install tensorflow-serving-api. The first requests "
    "to a server will be slower."
)


def write_warmup(path, model, requests):
    """Writes a TFRecord file of `PredictionLog` protos for TF Serving's SavedModel Warmup.

    Args:
        path: of the file, `assets.extra/tf_serving_warmup_requests` of a SavedModel.
        model: the name under which it is served.
        requests: list of (signature's name, {input's name: array}).

    Returns:
        The number of requests written: 0, with a warning, if tensorflow-serving-api, which defines
        the protos, is not installed.
    """
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError:
        logging.warning(WITHOUT_EXTRA)
        return 0
    with written_aside(path) as partial, tf.io.TFRecordWriter(str(partial)) as records:
        for signature, inputs in requests:
            request = predict_pb2.PredictRequest()
            request.model_spec.name = model
            request.model_spec.signature_name = signature
            for name, values in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
            log = prediction_log_pb2.PredictLog(request=request)
            record = prediction_log_pb2.PredictionLog(predict_log=log)
            records.write(record.SerializeToString())
    return len(requests)
