#!/usr/bin/env python3
"""Writes a quantized network of the shape of MLPerf Tiny's keyword spotter, with random weights, and inputs for it.

dscnn.py FOLDER
Depthwise and pointwise convolutions in turn (Zhang et al., "Hello Edge", 2017), QuantizeLinear/DequantizeLinear, weights of 8
bits. For measuring time only: docs/results.md. Needs numpy and onnx.
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHANNELS, CLASSES, SAMPLES = 64, 12, 256


class Network:
    def __init__(self):
        self.random, self.nodes, self.initializers = np.random.default_rng(0), [], []

    def tensor(self, name, values):
        self.initializers.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, kind, inputs, output, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def quantized(self, x, name, scale, zero_point):
        parameters = [self.tensor(f"{name}.scale", np.float32(scale)), self.tensor(f"{name}.zero", np.uint8(zero_point))]
        codes = self.node("QuantizeLinear", [x, *parameters], f"{name}.codes")
        return self.node("DequantizeLinear", [codes, *parameters], name)

    def layer(self, x, name, shape, **attributes):
        """Convolution, normalization, ReLU, quantizer."""
        weights = self.random.normal(size=shape)
        scale = np.abs(weights).max() / 127
        w = self.node("DequantizeLinear", [self.tensor(f"{name}.weight", np.round(weights / scale).astype(np.int8)),
                                           self.tensor(f"{name}.scale", np.float32(scale)),
                                           self.tensor(f"{name}.zero", np.int8(0))], f"{name}.w")
        bias = self.tensor(f"{name}.bias", self.random.normal(size=shape[0]).astype(np.float32) * np.float32(0.3))
        sums = self.node("Conv", [x, w, bias], f"{name}.sums", **attributes)
        ones = np.ones(shape[0], np.float32)
        gain = np.float32(1 / np.sqrt(np.prod(shape[1:])))
        statistics = [self.tensor(f"{name}.{key}", values) for key, values in
                      (("gamma", ones * gain), ("beta", ones * 0), ("mean", ones * 0), ("var", ones))]
        normal = self.node("BatchNormalization", [sums, *statistics], f"{name}.normal")
        return self.quantized(self.node("Relu", [normal], f"{name}.relu"), f"{name}.act", 3 / 255, 0)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    net = Network()
    x = net.quantized("x", "in", 4 / 255, 128)
    x = net.layer(x, "conv", (CHANNELS, 1, 10, 4), strides=[2, 2], pads=[4, 1, 5, 1])
    for k in range(4):
        x = net.layer(x, f"depthwise{k}", (CHANNELS, 1, 3, 3), group=CHANNELS, pads=[1, 1, 1, 1])
        x = net.layer(x, f"pointwise{k}", (CHANNELS, CHANNELS, 1, 1))
    x = net.node("Flatten", [net.node("GlobalAveragePool", [x], "pool")], "flat")
    weights = net.tensor("dense.weight", net.random.normal(size=(CHANNELS, CLASSES)).astype(np.float32))
    net.node("MatMul", [x, weights], "y")
    graph = helper.make_graph(net.nodes, "dscnn", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 49, 10])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, CLASSES])], net.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(folder / "dscnn.onnx"))
    np.save(folder / "inputs.npy", net.random.normal(size=(SAMPLES, 1, 49, 10)).astype(np.float32))


if __name__ == "__main__":
    main()
