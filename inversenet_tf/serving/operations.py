"""Checks, before a SavedModel is run, that its graphs only compute.

A SavedModel is a program. Its graphs can read and write files, call Python functions and more.
Those of our exports only compute with tensors, for which a short list of operations is enough.
"""

from pathlib import Path

from inversenet_tf.imaging.files.memory import check_fits
from inversenet_tf.serving.saved_models import SAVED_MODEL_FILE

CONTROL = """
    Assert Case Identity IdentityN If NoOp PartitionedCall Placeholder PlaceholderWithDefault
    PreventGradient StatefulPartitionedCall StatelessCase StatelessIf StatelessWhile StopGradient
    While
"""
VARIABLES = "DisableCopyOnRead ReadVariableOp ResourceGather VarHandleOp"
ARRAYS = """
    BatchToSpaceND Bitcast BroadcastArgs BroadcastTo Cast ConcatV2 Const DepthToSpace EnsureShape
    ExpandDims Fill Gather GatherNd GatherV2 InvertPermutation LinSpace MirrorPad OneHot OnesLike
    Pack Pad PadV2 Range Rank Reshape ReverseV2 Roll ScatterNd Select SelectV2 Shape ShapeN Size
    Slice SpaceToBatchND SpaceToDepth Split SplitV Squeeze StridedSlice Tile TopKV2 Transpose Unpack
    Where ZerosLike EmptyTensorList TensorListConcatV2 TensorListElementShape TensorListFromTensor
    TensorListGetItem TensorListLength TensorListPushBack TensorListReserve TensorListSetItem
    TensorListStack TensorScatterUpdate
"""
MATHEMATICS = """
    Abs Acos AddN AddV2 Add All Any Angle ApproximateEqual ArgMax ArgMin Asin Atan Atan2 BatchMatMul
    BatchMatMulV2 BatchMatMulV3 Ceil ClipByValue Complex ComplexAbs Conj Cos Cosh Cumprod Cumsum Div
    DivNoNan Einsum Elu Equal Erf Erfc Exp Expm1 Floor FloorDiv FloorMod Greater GreaterEqual Imag
    Inv IsFinite IsInf IsNan L2Loss LeakyRelu Less LessEqual Log Log1p LogSoftmax LogicalAnd
    LogicalNot LogicalOr MatMul Max Maximum Mean Min Minimum Mod Mul MulNoNan Neg NotEqual Polar Pow
    Prod Real RealDiv Reciprocal Relu Relu6 Rint Round Rsqrt Selu Sigmoid Sign Sin Sinh Softmax
    DiagPart Diag MatrixDiagPartV3 MatrixDiagV3 MatrixInverse MatrixSetDiagV3 MatrixSolve
    Softplus Softsign Sqrt Square SquaredDifference Sub Sum Tan Tanh TruncateDiv TruncateMod
    FFT FFT2D FFT3D IFFT IFFT2D IFFT3D IRFFT IRFFT2D IRFFT3D RFFT RFFT2D RFFT3D
"""
IMAGES = """
    AvgPool BiasAdd BiasAddV1 Conv2D Conv2DBackpropInput Conv3D DepthwiseConv2dNative
    DepthwiseConv2dNativeBackpropInput Dilation2D FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3
    LRN MaxPool MaxPoolV2 AdjustContrastv2 AdjustHue AdjustSaturation HSVToRGB RGBToHSV
    ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor ScaleAndTranslate
    ImageProjectiveTransformV2 ImageProjectiveTransformV3
    DecodeJpeg DecodePng EncodeJpeg EncodePng ExtractImagePatches ExtractJpegShape
"""
STRINGS = "DecodeRaw StringLength Substr"
ALLOWED = frozenset(
    name
    for group in (CONTROL, VARIABLES, ARRAYS, MATHEMATICS, IMAGES, STRINGS)
    for name in group.split()
)
# For functions that read and write a SavedModel's own variables, and that no signature calls.
SAVER_ALLOWED = ALLOWED | {
    *("AssignVariableOp", "MergeV2Checkpoints", "RestoreV2", "SaveV2", "ShardedFilename"),
    *("StaticRegexFullMatch", "StringJoin"),
}
SAVERS = ("__inference__traced_save_", "__inference__traced_restore_")
SHOWN = 5


def check_operations(saved_model):
    """Raises ValueError if a SavedModel has operations that none of our exports needs.

    The file is read as data; nothing in it is run.

    Args:
        saved_model: its directory.
    """
    others = {name for graph in _graphs_of(saved_model) for name in _others(graph)}
    if others:
        more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
        raise ValueError(
            f"Expected an export whose graphs only compute. Received: {saved_model}, which has "
            f"{', '.join(sorted(others)[:SHOWN])}{more}. An export is a program: if you trust "
            "where it comes from, run it with --trust_export (trusted=True from Python)."
        )


def operations_of(saved_model: str | Path) -> set[str]:
    """The names of all operations in a SavedModel's graphs, read as data as well."""
    return {
        node.op
        for graph in _graphs_of(saved_model)
        for part in (graph.graph_def.node, *(f.node_def for f in graph.graph_def.library.function))
        for node in part
    }


def _graphs_of(saved_model):
    from tensorflow.core.protobuf import saved_model_pb2

    path = Path(saved_model) / SAVED_MODEL_FILE
    check_fits(4 * path.stat().st_size, str(path))
    try:
        return saved_model_pb2.SavedModel.FromString(path.read_bytes()).meta_graphs
    except Exception as error:  # of a class that protobuf does not publish
        raise ValueError(f"Expected a SavedModel in {saved_model}. Received: {error}") from error


def _others(graph):
    """Yields what a graph may not have: operations not listed, and uses of its saving functions."""
    functions = {function.signature.name: function for function in graph.graph_def.library.function}
    savers = {name for name in functions if name.startswith(SAVERS)}
    known = functions.keys() - savers
    for name, function in functions.items():
        allowed = SAVER_ALLOWED if name in savers else ALLOWED
        for node in function.node_def:
            if node.op not in allowed and node.op not in known:
                yield node.op
            yield from _called(node) & savers
    yield from graph.object_graph_def.concrete_functions.keys() & savers
    saver_nodes = {
        name.partition(":")[0].removeprefix("^")
        for name in (graph.saver_def.save_tensor_name, graph.saver_def.restore_op_name)
    }
    used = {
        tensor.name.partition(":")[0]
        for signature in graph.signature_def.values()
        for tensor in signature.outputs.values()
    }
    for node in graph.graph_def.node:
        if node.op not in ALLOWED and node.op not in known:
            yield node.op
        if node.name not in saver_nodes:
            yield from _called(node) & savers
        used |= {name.removeprefix("^").partition(":")[0] for name in node.input}
    yield from used & saver_nodes


def _called(node):
    """The names of the functions among a node's attributes."""
    values = [*node.attr.values()]
    named = {value.func.name for value in values if value.HasField("func")}
    return named | {function.name for value in values for function in value.list.func}
