#!/usr/bin/env python3
"""Networks of the DeepVigor+ paper's shapes with random weights, as ONNX files: make_networks.py FOLDER [NAME...]

The weights are drawn from He's normal distribution, so the files serve to measure what an analysis costs, not what it
finds. Names: vgg11, vgg16, resnet18 (all for CIFAR), mobilenetv2 (CIFAR), resnet18_imagenet, resnet34_imagenet; and
vgg11_pooled. The paper's VGG-11 does not pool behind its first convolution: only with that plan do the numbers of its Table VI
come out. vgg11_pooled does, as VGG-11 is usually drawn, and costs a fifth.
Needs numpy and onnx.
"""

import argparse
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Builder:
    """Layers one after the other; a value is (name, channels)."""

    def __init__(self, name, size, seed=0):
        self.name, self.size = name, size
        self.random = np.random.default_rng(seed)
        self.nodes, self.weights, self.count = [], [], 0

    def constant(self, name, values):
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def node(self, kind, inputs, **attributes):
        self.count += 1
        out = f"v{self.count}"
        self.nodes.append(helper.make_node(kind, inputs, [out], name=f"{kind}{self.count}", **attributes))
        return out

    def conv(self, x, channels, kernel=3, stride=1, groups=1, relu=True, name=None):
        value, inside = x
        name = name or f"conv{self.count}"
        fan_in = inside // groups * kernel * kernel
        w = self.random.normal(0, np.sqrt(2 / fan_in), (channels, inside // groups, kernel, kernel))
        out = self.node("Conv", [value, self.constant(name + ".weight", w)], kernel_shape=[kernel, kernel],
                        strides=[stride, stride], pads=[kernel // 2] * 4, group=groups)
        norm = [self.constant(f"{name}_bn.{part}", fill(channels)) for part, fill in
                (("weight", np.ones), ("bias", np.zeros), ("running_mean", np.zeros), ("running_var", np.ones))]
        out = self.node("BatchNormalization", [out, *norm])
        return (self.node("Relu", [out]) if relu else out, channels)

    def finish(self, x, classes, folder):
        value = self.node("Flatten", [self.node("GlobalAveragePool", [x[0]])])
        w = self.random.normal(0, np.sqrt(1 / x[1]), (classes, x[1]))
        self.nodes.append(helper.make_node(
            "Gemm", [value, self.constant("linear.weight", w), self.constant("linear.bias", np.zeros(classes))],
            ["y"], name="linear", transB=1))
        graph = helper.make_graph(
            self.nodes, self.name,
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, self.size, self.size])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, classes])], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.save(model, folder / f"{self.name}.onnx")


def vgg(name, plan):
    def make(folder):
        net = Builder(name, 32)
        x = ("x", 3)
        for step in plan:
            if step == "M":
                x = (net.node("MaxPool", [x[0]], kernel_shape=[2, 2], strides=[2, 2]), x[1])
            else:
                x = net.conv(x, step)
        net.finish(x, 10, folder)
    return make


def resnet(name, size, blocks, classes):
    def make(folder):
        net = Builder(name, size)
        if size == 32:
            x = net.conv(("x", 3), 64)
        else:
            x = net.conv(("x", 3), 64, 7, 2)
            x = (net.node("MaxPool", [x[0]], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4), 64)
        for stage, repeats in enumerate(blocks):
            channels = 64 << stage
            for block in range(repeats):
                stride = 2 if stage > 0 and block == 0 else 1
                side = x if x[1] == channels else net.conv(x, channels, 1, stride, relu=False)
                inner = net.conv(net.conv(x, channels, 3, stride), channels, relu=False)
                x = (net.node("Relu", [net.node("Add", [inner[0], side[0]])]), channels)
        net.finish(x, classes, folder)
    return make


def mobilenet(folder):
    net = Builder("mobilenetv2", 32)
    x = net.conv(("x", 3), 32)
    for expand, channels, repeats, stride in ((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                              (6, 160, 3, 2), (6, 320, 1, 1)):
        for block in range(repeats):
            step = stride if block == 0 else 1
            wide = net.conv(x, expand * x[1], 1) if expand > 1 else x
            out = net.conv(net.conv(wide, wide[1], 3, step, groups=wide[1]), channels, 1, relu=False)
            x = (net.node("Add", [x[0], out[0]]), channels) if step == 1 and x[1] == channels else out
    net.finish(net.conv(x, 1280, 1), 100, folder)


NETWORKS = {
    "vgg11": vgg("vgg11", [64, 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]),
    "vgg11_pooled": vgg("vgg11_pooled", [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]),
    "vgg16": vgg("vgg16", [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"]),
    "resnet18": resnet("resnet18", 32, (2, 2, 2, 2), 100),
    "mobilenetv2": mobilenet,
    "resnet18_imagenet": resnet("resnet18_imagenet", 224, (2, 2, 2, 2), 1000),
    "resnet34_imagenet": resnet("resnet34_imagenet", 224, (3, 4, 6, 3), 1000),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NETWORKS))
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in NETWORKS]
    if unknown:
        parser.error(f"no network is called {', '.join(unknown)}; there are {', '.join(NETWORKS)}")
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.names or NETWORKS:
        NETWORKS[name](options.folder)


if __name__ == "__main__":
    main()
