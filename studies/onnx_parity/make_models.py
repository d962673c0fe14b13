"""Random small ONNX models with the outputs that QONNX's executor or ONNX Runtime gives.

    python make_models.py FOLDER [COUNT [SEED]]

writes FOLDER/N/model.onnx, inputs.npy, outputs.npy and note.txt for N = 0 … COUNT-1. Needs onnx, onnxruntime and qonnx.
note.txt says

    qonnx    Quant and BipolarQuant nodes with scales that are powers of two: every sum is exact in float32, so
             that qonnx-exec and Flipscope must give the same bits
    scaled   QONNX with other scales
    qdq      QuantizeLinear and DequantizeLinear, scales powers of two, ONNX Runtime without graph optimization
    float    float32 layers, ONNX Runtime
"""

import os
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

# qonnx-exec wraps each node as a model of the newest version, which ONNX Runtime may not know yet.
onnx.IR_VERSION = 8

BATCH = 16
rng = np.random.default_rng()


def choice(*options):
    return options[rng.integers(len(options))]


def chance(p):
    return rng.random() < p


class Network:
    """A graph that grows node by node; `at` is the value that grows, `shape` its shape without the batch."""

    def __init__(self, kind, shape):
        self.kind, self.shape, self.at = kind, shape, "input"
        self.input_shape = shape
        self.nodes, self.initializers = [], []

    def constant(self, array, name=None):
        name = name or f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, operation, *inputs, domain="", **attributes):
        out = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, list(inputs), [out], out, domain=domain, **attributes))
        return out

    def step(self, at_most):
        power = 2.0 ** -int(rng.integers(0, at_most))
        return np.float32(power if self.kind in ("qonnx", "qdq") else power * rng.uniform(0.6, 1.3))

    def quantized(self, value, signed, channels=0, axis=0, rank=0, weights=False):
        """`value` through a quantizer of this network's kind."""
        if self.kind == "qdq":
            scale = self.constant(self.step(5))
            zero = self.constant(np.array(0 if signed else choice(0, 3), np.int8 if signed else np.uint8))
            return self.node("DequantizeLinear", self.node("QuantizeLinear", value, scale, zero), scale, zero)
        domain = "qonnx.custom_op.general"
        if weights and chance(0.15):
            return self.node("BipolarQuant", value, self.constant(self.step(4)), domain=domain)
        scale = self.step(6)
        if channels and chance(0.4):
            shape = [1] * rank
            shape[axis] = channels
            scale = np.array([self.step(6) for _ in range(channels)], np.float32).reshape(shape)
        bits = np.float32(rng.integers(2, 8))
        zero = np.float32(0 if weights or signed else choice(0, 0, 2))
        return self.node("Quant", value, self.constant(scale), self.constant(zero), self.constant(bits), domain=domain,
                         signed=int(signed), narrow=int(signed and chance(0.3)),
                         rounding_mode=choice("ROUND", "FLOOR", "CEIL", "HALF_EVEN", "HALF_UP", "HALF_DOWN", "UP", "DOWN"))

    def weight(self, *shape, channels=0, axis=0):
        values = rng.normal(0, 0.5, shape)
        ties = rng.random(shape)
        values = np.where(ties < 0.1, np.round(values * 16) / 16, np.where(ties > 0.97, 0, values))
        values = np.where((ties > 0.9) & (ties < 0.95), values * 6, values).astype(np.float32)
        if self.kind == "float":
            return self.constant(values)
        if self.kind == "qdq" and chance(0.5):
            zero = self.constant(np.int8(0))
            words = self.constant(rng.integers(-128, 128, shape).astype(np.int8))
            return self.node("DequantizeLinear", words, self.constant(self.step(6)), zero)
        return self.quantized(self.constant(values), True, channels, axis, len(shape), weights=True)

    def bias(self, channels):
        if self.kind in ("qonnx", "qdq"):  # On a grid, so that sums stay exact.
            return self.constant((rng.integers(-64, 64, channels) / 64).astype(np.float32))
        return self.constant(rng.normal(0, 0.3, channels).astype(np.float32))

    def activation(self):
        if self.kind == "float":
            function = choice("Relu", "Sigmoid", "Tanh", "Elu", "LeakyRelu", "Softplus", "HardSigmoid", "Selu", "Erf")
            self.at = self.node(function, self.at)
            return
        signed = chance(0.4)
        if not signed:
            self.at = self.node("Relu", self.at)
        self.at = self.quantized(self.at, signed)

    def convolution(self):
        channels, height, width = self.shape
        filters = int(rng.integers(1, 6))
        group = channels if chance(0.2) else 1
        filters = channels * int(rng.integers(1, 3)) if group > 1 else filters
        size = (int(rng.integers(1, min(4, height + 1))), int(rng.integers(1, min(4, width + 1))))
        stride = int(rng.integers(1, 3))
        pads = [int(rng.integers(0, 2)) for _ in range(4)]
        inputs = [self.at, self.weight(filters, channels // group, *size, channels=filters)]
        if chance(0.7):
            inputs.append(self.bias(filters))
        self.at = self.node("Conv", *inputs, kernel_shape=size, strides=[stride] * 2, pads=pads, group=group)
        self.shape = (filters, (height + pads[0] + pads[2] - size[0]) // stride + 1,
                      (width + pads[1] + pads[3] - size[1]) // stride + 1)

    def normalization(self):
        """Powers of two and grid points where sums are exact."""
        c = self.shape[0]
        draw = (lambda: rng.normal(0, 0.5, c)) if self.kind == "float" else (lambda: rng.integers(-8, 8, c) / 8)
        scale = np.abs(draw()) + 0.5 if self.kind == "float" else 2.0 ** rng.integers(-1, 2, c)
        # Mul and Add rather than BatchNormalization where bits are compared: that divides by a root.
        if self.kind == "float":
            values = [scale, draw(), draw(), np.abs(draw()) + 0.2]
            constants = [self.constant(v.astype(np.float32)) for v in values]
            self.at = self.node("BatchNormalization", self.at, *constants)
        else:
            shape = (1, c) + (1,) * (len(self.shape) - 1)
            self.at = self.node("Mul", self.at, self.constant(scale.astype(np.float32).reshape(shape)))
            self.at = self.node("Add", self.at, self.constant(draw().astype(np.float32).reshape(shape)))

    def pooling(self):
        _, height, width = self.shape
        if min(height, width) < 2:
            return
        operation = choice("MaxPool", "AveragePool") if self.kind == "float" else "MaxPool"
        self.at = self.node(operation, self.at, kernel_shape=[2, 2], strides=[2, 2])
        self.shape = (self.shape[0], height // 2, width // 2)

    def residual(self):
        before = self.at
        self.activation()
        self.at = self.node("Add", self.at, before)

    def dense(self, outputs):
        features = self.shape[0]
        if chance(0.5):
            transposed = chance(0.5)
            shape = (outputs, features) if transposed else (features, outputs)
            weight = self.weight(*shape, channels=outputs, axis=0 if transposed else 1)
            self.at = self.node("Gemm", self.at, weight, self.bias(outputs), transB=int(transposed))
        else:
            self.at = self.node("MatMul", self.at, self.weight(features, outputs, channels=outputs, axis=1))
            if chance(0.5):
                self.at = self.node("Add", self.at, self.bias(outputs))
        self.shape = (outputs,)

    def model(self):
        ends = [helper.make_tensor_value_info("input", TensorProto.FLOAT, [BATCH, *self.input_shape]),
                helper.make_tensor_value_info(self.at, TensorProto.FLOAT, [BATCH, *self.shape])]
        graph = helper.make_graph(self.nodes, "random", ends[:1], ends[1:], self.initializers)
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def random_network(kind):
    images = chance(0.7)
    shape = (int(rng.integers(1, 4)), int(rng.integers(4, 9)), int(rng.integers(4, 9))) if images else (
        int(rng.integers(3, 24)),)
    network = Network(kind, shape)
    if kind != "float":
        network.at = network.quantized(network.at, True)
    if images:
        for _ in range(int(rng.integers(1, 4))):
            network.convolution()
            if chance(0.3):
                network.normalization()
            network.activation()
            choice(network.pooling, network.residual, lambda: None, lambda: None)()
            if kind != "float" and network.nodes[-1].op_type == "Add":
                network.at = network.quantized(network.at, True)
        network.at = network.node("Flatten", network.at)
        network.shape = (int(np.prod(network.shape)),)
    for _ in range(int(rng.integers(0, 2))):
        network.dense(int(rng.integers(2, 12)))
        network.activation()
    network.dense(int(rng.integers(2, 8)))
    return network


def executed(model, inputs):
    """All values of a model, by name, as qonnx-exec gives them."""
    return execute_onnx(ModelWrapper(model).transform(InferShapes()), {"input": inputs}, return_full_exec_context=True)


def expected(model, kind, inputs):
    if kind in ("qonnx", "scaled"):
        return executed(model, inputs)[model.graph.output[0].name]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    if kind == "qdq":
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"input": inputs})[0]


def main():
    global rng
    folder = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        kind = ("qonnx", "qonnx", "scaled", "qdq", "float")[number % 5]
        model = random_network(kind).model()
        inputs = rng.normal(0, 1.5, [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim])
        inputs[:6] = np.round(inputs[:6] * 8) / 8
        inputs[6] = 0
        inputs[7] *= 100  # Saturates.
        inputs = inputs.astype(np.float32)
        where = os.path.join(folder, str(number))
        os.makedirs(where, exist_ok=True)
        np.save(os.path.join(where, "inputs.npy"), inputs)
        np.save(os.path.join(where, "outputs.npy"), expected(model, kind, inputs))
        onnx.save(model, os.path.join(where, "model.onnx"))
        with open(os.path.join(where, "note.txt"), "w", encoding="utf-8") as file:
            file.write(kind + "\n")


if __name__ == "__main__":
    main()
