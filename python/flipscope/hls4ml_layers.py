"""What each kind of hls4ml layer computes, as nodes of a QONNX graph. Images lie channels last."""

from __future__ import annotations

import math
from typing import Any, Callable

from flipscope._core import Error
from flipscope.hls4ml_graph import SATURATE, SYMMETRIC, WRAP, Fixed, Graph

#: The graph's own input, before hls4ml's input precision.
ENTRY = "input"


def add(graph: Graph, layer: Any) -> None:
    """The nodes of one layer, quantized to its result's precision. Raises Error where it does not map."""
    kind = layer.class_name
    if kind not in KINDS:
        raise Error(f"[hls4ml] layer '{layer.name}': {kind} does not map; {', '.join(sorted(KINDS))} do")
    raw = KINDS[kind](graph, layer)
    if raw not in graph.grids and raw != ENTRY:
        graph.grids[raw] = max(graph.grids[name] for name in layer.inputs)
    if graph.trained and not _is_quantizer(layer):
        graph.grids[layer.outputs[0]] = graph.grids[raw]
        graph.node("Identity", [raw], layer.outputs[0])
        return
    result = Fixed(layer.name, layer.get_output_variable().type.precision)
    if graph.trained:
        _widen(graph, layer, result)
    graph.quantized(raw, result, layer.outputs[0])


def _is_quantizer(layer: Any) -> bool:
    """Where HGQ2 quantizes: other results are as precise as hls4ml finds that they must be."""
    kinds = ("Input", "InputLayer", "FixedPointQuantizer")
    return layer.class_name in kinds or bool(layer.get_attr("_result_t_propagated", False))


def _widen(graph: Graph, layer: Any, result: Fixed) -> None:
    """To all that HGQ2's quantizer can give: hls4ml's result has what golden weights need of it. A quantizer of its own
    has quantized already, and the result only holds that; one that hls4ml joined to the layer is the next layer's."""
    import numpy

    if layer.class_name == "FixedPointQuantizer":
        signs, bits, integers = (numpy.ravel(part) for part in numpy.broadcast_arrays(*layer.get_attr("mask_kbi")))
        result.rounding, result.overflow = "TRN", WRAP
    else:
        readers = [getattr(graph.trained.get(reader.name), "iq", None) for reader in layer.get_output_nodes()]
        own = [reader.quantizer.kif for reader in readers if hasattr(getattr(reader, "quantizer", None), "kif")]
        if not own or layer.class_name in ("Input", "InputLayer") or hasattr(graph.trained.get(layer.name), "oq"):
            return
        signs, integers, fractions = (numpy.concatenate([numpy.ravel(kif[part]) for kif in own]) for part in range(3))
        bits = signs + integers + fractions
        integers = signs + integers
    some = bits > 0
    if not some.any():
        return
    signed = result.signed or bool(numpy.any(signs[some]))
    fraction = max(result.fraction, int(numpy.max((bits - integers)[some])))
    integer = max(result.width - result.fraction + (signed and not result.signed),
                  int(numpy.max((integers + (signed & (signs == 0)))[some])))
    result.signed, result.fraction, result.width = signed, fraction, integer + fraction


def entry(graph: Graph, layer: Any) -> str:
    return ENTRY


def same(graph: Graph, layer: Any) -> str:
    return layer.inputs[0]


def _refuse(layer: Any, what: str) -> Error:
    return Error(f"[hls4ml] layer '{layer.name}': {what}")


def _accumulated(graph: Graph, layer: Any, sums: str, terms: list[tuple[str, int]]) -> str:
    """Sums in accum_t; whole where the formats are HGQ2's. `terms`: what is added up, with its fractional bits."""
    if graph.trained:
        graph.grids[sums] = max(fraction for _, fraction in terms)
        return sums
    form = Fixed(layer.name, layer.get_attr("accum_t").precision)
    for what, fraction in terms:
        if fraction > form.fraction:
            raise _refuse(layer, f"accum_t {form} cuts its {what}, which have {fraction} fractional bits; give it "
                                 f"{fraction}, or the precision \"auto\"")
    if form.overflow != WRAP:
        raise _refuse(layer, f"accum_t saturates, which depends on the order of the sum; let it wrap")
    graph.grids[sums] = max(fraction for _, fraction in terms)
    return graph.quantized(sums, form, layer.name + ".sum")


def _affine(graph: Graph, layer: Any, multiply: Callable[[str, str], str]) -> str:
    x = layer.inputs[0]
    weights = graph.weights(layer, "weight")
    terms = [("products", graph.grids[x] + graph.grids[weights])]
    sums = multiply(x, weights)
    if "bias" in layer.weights:
        bias = graph.weights(layer, "bias")
        terms.append(("biases", graph.grids[bias]))
        sums = graph.node("Add", [sums, bias], layer.name + ".biased")
    return _accumulated(graph, layer, sums, terms)


def dense(graph: Graph, layer: Any) -> str:
    def multiply(x: str, weights: str) -> str:
        if layer.get_attr("_weights_transposed", False):
            weights = graph.node("Transpose", [weights], layer.name + ".turned", perm=[1, 0])
        return graph.node("MatMul", [x, weights], layer.name + ".products")

    return _affine(graph, layer, multiply)


def _image_last(graph: Graph, x: str, output: str) -> str:
    return graph.node("Transpose", [x], output, perm=[0, 2, 3, 1])


def _image_first(graph: Graph, layer: Any) -> str:
    return graph.node("Transpose", [layer.inputs[0]], layer.name + ".first", perm=[0, 3, 1, 2])


def _window(layer: Any) -> dict[str, list[int]]:
    strides = [layer.get_attr("stride_height"), layer.get_attr("stride_width")]
    pads = [layer.get_attr(f"pad_{side}", 0) for side in ("top", "left", "bottom", "right")]
    return {"strides": strides, "pads": pads}


def convolution(graph: Graph, layer: Any) -> str:
    if layer.get_attr("data_format", "channels_last") != "channels_last":
        raise _refuse(layer, "data_format is channels_first; channels_last maps")
    for name in ("dilation", "dilation_height", "dilation_width"):
        if layer.get_attr(name, 1) not in (None, 1):
            raise _refuse(layer, "its dilation does not map")
    depthwise = layer.class_name.startswith("Depthwise")
    outputs_first = layer.get_attr("_weights_transposed", False)

    def multiply(x: str, weights: str) -> str:
        attributes = _window(layer)
        if depthwise:  # [h, w, channel, 1] → [channel, 1, h, w]
            order = [3, 0, 1, 2] if outputs_first else [2, 3, 0, 1]
            attributes["group"] = layer.get_attr("n_chan")
        else:  # [h, w, in, out] → [out, in, h, w]
            order = [0, 3, 1, 2] if outputs_first else [3, 2, 0, 1]
        turned = graph.node("Transpose", [weights], layer.name + ".turned", perm=order)
        sums = graph.node("Conv", [_image_first(graph, layer), turned], layer.name + ".conv", **attributes)
        return _image_last(graph, sums, layer.name + ".products")

    return _affine(graph, layer, multiply)


def normalization(graph: Graph, layer: Any) -> str:
    x, scale, bias = layer.inputs[0], graph.weights(layer, "scale"), graph.weights(layer, "bias")
    product = graph.node("Mul", [x, scale], layer.name + ".products")
    output = graph.node("Add", [product, bias], layer.name + ".biased")
    graph.grids[output] = max(graph.grids[x] + graph.grids[scale], graph.grids[bias])
    return output


def activation(graph: Graph, layer: Any) -> str:
    name = layer.get_attr("activation").lower()
    if name == "linear":
        return layer.inputs[0]
    if name == "relu":
        return graph.node("Relu", [layer.inputs[0]], layer.name + ".relu")
    raise _refuse(layer, f"the activation {name} reads a table in hls4ml; relu and linear map")


def pooling(graph: Graph, layer: Any) -> str:
    globally = layer.class_name.startswith("Global")
    operator = layer.get_attr("pool_op").lower()
    x = _image_first(graph, layer)
    sides = ("in_height", "in_width") if globally else ("pool_height", "pool_width")
    area = math.prod(layer.get_attr(side) for side in sides)
    window = {} if globally else {"kernel_shape": [layer.get_attr(side) for side in sides], **_window(layer)}
    if operator == "average" and (area & (area - 1) or any(window.get("pads", ()))):
        raise _refuse(layer, f"an average over {area} values, or over padding, is rounded by hls4ml on its way; "
                             "powers of two without padding map")
    kind = {"max": "MaxPool", "average": "AveragePool"}[operator]
    pooled = graph.node(("Global" if globally else "") + kind, [x], layer.name + ".pool", **window)
    if operator == "average":
        terms = [("averages", graph.grids[layer.inputs[0]] + area.bit_length() - 1)]
        pooled = _accumulated(graph, layer, pooled, terms)
    if globally and not layer.get_attr("keepdims", False):
        return graph.node("Flatten", [pooled], layer.name + ".flat")
    return _image_last(graph, pooled, layer.name + ".last")


def reshape(graph: Graph, layer: Any) -> str:
    shape = graph.constant(layer.name + ".shape", [-1, *layer.get_output_variable().shape], "int64")
    return graph.node("Reshape", [layer.inputs[0], shape], layer.name + ".reshaped")


def padding(graph: Graph, layer: Any) -> str:
    before = [0, layer.get_attr("pad_top"), layer.get_attr("pad_left"), 0]
    after = [0, layer.get_attr("pad_bottom"), layer.get_attr("pad_right"), 0]
    pads = graph.constant(layer.name + ".pads", before + after, "int64")
    return graph.node("Pad", [layer.inputs[0], pads], layer.name + ".padded")


def merge(graph: Graph, layer: Any) -> str:
    operator = str(layer.get_attr("op", "")).lower()
    kinds = {"add": "Add", "subtract": "Sub", "multiply": "Mul", "maximum": "Max", "minimum": "Min"}
    if operator not in kinds:
        raise _refuse(layer, f"the merge {operator} does not map; {', '.join(kinds)} do")
    output = graph.node(kinds[operator], list(layer.inputs), layer.name + ".merged")
    if operator == "multiply":
        graph.grids[output] = sum(graph.grids[name] for name in layer.inputs)
    return output


def concatenation(graph: Graph, layer: Any) -> str:
    return graph.node("Concat", list(layer.inputs), layer.name + ".merged", axis=layer.get_attr("axis"))


def element_formats(graph: Graph, layer: Any) -> str:
    """HGQ2's quantizer of activations: a format for each element. Its grid lies within the result's."""
    import numpy

    signed, bits, integer = (numpy.asarray(values, float) for values in layer.get_attr("mask_kbi"))
    step = 2.0 ** (integer - bits)
    wraps, rounding = layer.get_attr("SAT") == WRAP, layer.get_attr("RND")
    before = {"TRN": 0.0, "RND": 0.5, "RND_CONV": 0.0}.get(rounding)
    if before is None or layer.get_attr("SAT") not in (WRAP, SATURATE, SYMMETRIC):
        raise _refuse(layer, f"quantizers that round by {rounding} and treat overflow by {layer.get_attr('SAT')} do "
                             "not map")
    highest = 2.0 ** (bits - signed) - 1
    lowest = -signed * (highest if layer.get_attr("SAT") == SYMMETRIC else 2.0 ** (bits - signed))

    def node(kind: str, x: str, name: str, values: Any = None) -> str:
        operands = [x] if values is None else [x, graph.constant(f"{layer.name}.{name}.by", values)]
        return graph.node(kind, operands, f"{layer.name}.{name}")

    codes = node("Mul", layer.inputs[0], "codes", 1 / step)
    if rounding == "RND_CONV":
        codes = node("Round", codes, "rounded")
    else:
        codes = node("Floor", node("Add", codes, "shifted", before), "rounded")
    if wraps:
        turns = node("Floor", node("Mul", node("Sub", codes, "from", lowest), "spans", 2.0 ** -bits), "turns")
        codes = graph.node("Sub", [codes, node("Mul", turns, "turned", 2.0 ** bits)], layer.name + ".wrapped")
    else:
        codes = node("Min", node("Max", codes, "raised", lowest), "clipped", highest)
    numbers = node("Mul", codes, "numbers", numpy.where(bits > 0, step, 0.0))
    graph.grids[numbers] = int((bits - integer).max())
    return numbers


KINDS: dict[str, Callable[[Graph, Any], str]] = {
    "Input": entry, "InputLayer": entry, "Dense": dense, "Conv2D": convolution, "PointwiseConv2D": convolution,
    "DepthwiseConv2D": convolution, "BatchNormalization": normalization, "ApplyAlpha": normalization,
    "Activation": activation, "Pooling2D": pooling, "GlobalPooling2D": pooling, "Reshape": reshape,
    "ZeroPadding2D": padding, "Merge": merge, "Concatenate": concatenation, "FixedPointQuantizer": element_formats,
}
