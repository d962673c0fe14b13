"""An hls4ml model as QONNX: each layer's arithmetic, and a quantizer for each of its precisions.

What hls4ml computes is what this graph says, as long as accumulators hold every product whole: hls4ml truncates each
product to accum_t, and a sum of truncated products is no layer of ours. That, and whatever reads a table, is refused by
name. A final softmax is left out: outputs are then its logits.
"""

from __future__ import annotations

from typing import Any

from flipscope._core import Error
from flipscope.hgq_formats import ElementFormats, formats_of

#: ap_fixed's rounding as QONNX calls it, and what is added before, in steps.
ROUNDING = {"TRN": ("FLOOR", 0.0), "TRN_ZERO": ("DOWN", 0.0), "RND": ("FLOOR", 0.5), "RND_ZERO": ("HALF_DOWN", 0.0),
            "RND_INF": ("HALF_UP", 0.0), "RND_MIN_INF": ("CEIL", -0.5), "RND_CONV": ("ROUND", 0.0)}

WRAP, SATURATE, SYMMETRIC = "WRAP", "SAT", "SAT_SYM"


class Fixed:
    """ap_fixed<width, integer>, or ap_ufixed."""

    def __init__(self, layer: str, precision: Any) -> None:
        if not hasattr(precision, "width") or not hasattr(precision, "signed") or "Fixed" not in type(
                precision).__name__ and "Integer" not in type(precision).__name__:
            raise Error(f"[hls4ml] layer '{layer}': a precision of {precision} does not map; ap_fixed and ap_int do")
        self.width, self.signed = int(precision.width), bool(precision.signed)
        self.fraction = self.width - int(getattr(precision, "integer", precision.width))
        self.rounding = _mode(precision, "rounding_mode", "TRN")
        self.overflow = _mode(precision, "saturation_mode", WRAP)
        if self.overflow not in (WRAP, SATURATE, SYMMETRIC):
            raise Error(f"[hls4ml] layer '{layer}': an overflow mode {self.overflow} does not map")

    def __str__(self) -> str:
        return f"ap_{'' if self.signed else 'u'}fixed<{self.width},{self.width - self.fraction}>"


def _mode(precision: Any, name: str, otherwise: str) -> str:
    mode = getattr(precision, name, None)
    return otherwise if mode is None else str(getattr(mode, "name", mode)).split(".")[-1]


class Graph:
    """Nodes in the making. A tensor has the name that hls4ml gives it. `trained`: HGQ2's layers by name, whose arithmetic
    it then is."""

    def __init__(self, trained: dict[str, Any]) -> None:
        import onnx
        from onnx import helper, numpy_helper

        self.onnx, self.helper, self.numpy_helper = onnx, helper, numpy_helper
        self.nodes: list = []
        self.constants: dict[str, Any] = {}
        self.grids: dict[str, int] = {}  #: fractional bits of each value
        self.trained = trained
        self.met: set[str] = set()  #: HGQ2's layers whose weights were found

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        domain = "qonnx.custom_op.general" if kind == "Quant" else ""
        self.nodes.append(self.helper.make_node(kind, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def constant(self, name: str, values: Any, kind: str = "float32") -> str:
        import numpy

        self.constants[name] = self.numpy_helper.from_array(numpy.asarray(values, kind), name)
        return name

    def quantized(self, x: str, form: Fixed, output: str) -> str:
        """In a format. One of more than 32 bits must be hls4ml's exact one: it is left to float32."""
        if form.width > 32:
            if self.grids.get(x, form.fraction + 1) > form.fraction:
                raise Error(f"[hls4ml] '{output}': {form} rounds, and words have up to 32 bits here; narrow it")
            self.grids[output] = self.grids[x]
            return self.node("Identity", [x], output)
        mode, before = ROUNDING[form.rounding]
        step = 2.0 ** -form.fraction
        if before:
            x = self.node("Add", [x, self.constant(output + ".half", before * step)], output + ".shifted")
        extra = {"overflow_mode": "WRAP"} if form.overflow == WRAP else {}
        inputs = [x] + [self.constant(f"{output}.{name}", value)
                        for name, value in (("step", step), ("zero", 0.0), ("width", form.width))]
        narrow = form.signed and form.overflow == SYMMETRIC
        self.node("Quant", inputs, output, signed=int(form.signed), narrow=int(narrow), rounding_mode=mode, **extra)
        self.grids[output] = form.fraction
        return output

    def by_element(self, x: str, formats: ElementFormats, output: str) -> str:
        """A constant in formats of its elements. Where some have a sign and some have not, a fifth input says which."""
        inputs = [x] + [self.constant(f"{output}.{name}", values)
                        for name, values in (("step", 2.0 ** -formats.fractions.astype("float64")), ("zero", 0.0),
                                             ("width", formats.widths))]
        mixed = formats.signs.min() != formats.signs.max()
        if mixed:
            inputs.append(self.constant(f"{output}.signs", formats.signs))
        self.grids[output] = int(formats.fractions.max())
        return self.node("Quant", inputs, output, signed=int(formats.signs.max()), narrow=0, rounding_mode="ROUND")

    def weights(self, layer: Any, which: str) -> str:
        """A parameter in the order in which hls4ml keeps it, quantized to its own precision, or to HGQ2's formats of its
        elements."""
        variable = layer.weights[which]
        if layer.name in self.trained:
            self.met.add(layer.name)
            formats = formats_of(self.trained[layer.name], which, variable.data,
                                 bool(layer.get_attr("_weights_transposed", False)))
            if formats is not None:
                stored = self.constant(f"{layer.name}.{which}", variable.data)
                return self.by_element(stored, formats, f"{layer.name}.{which}.words")
        form = Fixed(layer.name, variable.type.precision)
        if form.width > 32:
            raise Error(f"[hls4ml] layer '{layer.name}': its {which} has {form}; words have up to 32 bits here")
        stored = self.constant(f"{layer.name}.{which}", variable.data)
        return self.quantized(stored, form, f"{layer.name}.{which}.words")

    def model(self, name: str, inputs: tuple[str, list[int]], output: tuple[str, list[int]]) -> bytes:
        info = self.helper.make_tensor_value_info
        kind = self.onnx.TensorProto.FLOAT
        (x, x_shape), (y, y_shape) = inputs, output
        graph = self.helper.make_graph(
            self.nodes, name, [info(x, kind, ["batch", *x_shape])], [info(y, kind, ["batch", *y_shape])],
            list(self.constants.values()))
        opsets = [self.helper.make_opsetid("", 13), self.helper.make_opsetid("qonnx.custom_op.general", 1)]
        return self.helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def to_qonnx(model: Any, trained: dict[str, Any]) -> bytes:
    """The QONNX file of an hls4ml ModelGraph, with the formats of these HGQ2 layers' weights."""
    try:
        graph = Graph(trained)
    except ImportError:
        raise Error("[hls4ml] the package onnx is not installed; pip install onnx") from None
    from flipscope import hls4ml_layers

    layers = list(model.get_layers())
    dropped = {}
    if layers[-1].class_name == "Softmax":
        dropped[layers[-1].outputs[0]] = layers[-1].inputs[0]
        layers.pop()
    entries = [layer for layer in layers if layer.class_name in ("Input", "InputLayer")]
    if len(entries) != 1 or len(model.outputs) != 1:
        raise Error("[hls4ml] the model has several inputs or outputs; one of each maps")
    for layer in layers:
        hls4ml_layers.add(graph, layer)
    for name in trained:
        if hasattr(trained[name], "kq") and name not in graph.met:
            raise Error(f"[hls4ml] the Keras model's layer '{name}' is not in the hls4ml model; give the one that was "
                        "converted")
    output = dropped.get(model.outputs[0], model.outputs[0])
    shapes = {name: list(variable.shape) for layer in layers for name, variable in layer.variables.items()}
    return graph.model(str(model.config.get_project_name()), (hls4ml_layers.ENTRY, shapes[entries[0].outputs[0]]),
                       (output, shapes[output]))
