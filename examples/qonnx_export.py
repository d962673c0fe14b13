"""Writes the two networks as QONNX: plain ONNX operators and `Quant` nodes, initializers keep the float latent weights."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from quantized_training import WEIGHT


class GraphWriter:
    """Collects nodes and initializers; each method appends one node and returns the name of its output."""

    def __init__(self):
        self.nodes, self.initializers = [], []

    def constant(self, name, values, dtype=np.float32):
        self.initializers.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def node(self, kind, name, inputs, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [name + "_out"], name=name, **attributes))
        return name + "_out"

    def quant(self, name, source, number_format):
        inputs = [source, self.constant(name + "_scale", number_format.scale),
                  self.constant(name + "_zeropt", 0.0), self.constant(name + "_bitwidth", number_format.bits)]
        return self.node("Quant", name, inputs, domain="qonnx.custom_op.general", signed=int(number_format.signed),
                         narrow=0, rounding_mode="ROUND")

    def parameter(self, name, tensor, number_format=None):
        """A stored tensor, behind a quantizer if it has a format."""
        self.constant(name, tensor.detach().numpy())
        return self.quant("Quant_" + name.replace(".", "_"), name, number_format) if number_format else name

    def layer(self, kind, name, source, module, weight_format=None, bias_format=None, **attributes):
        """A weighted layer: quantized, or float when no format is given."""
        inputs = [source, self.parameter(name + ".weight", module.weight, weight_format)]
        if module.bias is not None:
            inputs.append(self.parameter(name + ".bias", module.bias, bias_format))
        return self.node(kind, name.replace(".", "_"), inputs, **attributes)

    def save(self, path, input_shape, output, output_shape):
        """Renames the last output, checks the model, writes it; the batch size stays free."""
        self.nodes[-1].output[0] = output
        graph = helper.make_graph(
            self.nodes, path.stem,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", *input_shape])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", *output_shape])], self.initializers)
        model = helper.make_model(graph, producer_name="flipscope-examples", ir_version=8, opset_imports=[
            helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)])
        onnx.checker.check_model(model)
        path.write_bytes(model.SerializeToString(deterministic=True))


CONV_3X3_S2 = dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], dilations=[1, 1], group=1)


def export_classifier(model, path):
    w = GraphWriter()
    x = w.quant("Quant_input", "input", model.image_format)
    x = w.layer("Conv", "conv1", x, model.conv1, WEIGHT, **CONV_3X3_S2)
    bn = model.bn1
    parameters = [w.parameter("bn1." + n, t) for n, t in (("weight", bn.weight), ("bias", bn.bias),
                                                          ("running_mean", bn.running_mean),
                                                          ("running_var", bn.running_var))]
    x = w.node("BatchNormalization", "bn1", [x, *parameters], epsilon=bn.eps)
    x = w.quant("Quant_hidden1", w.node("Relu", "relu1", [x]), model.hidden1_format)
    x = w.layer("Conv", "conv2", x, model.conv2, WEIGHT, model.bias_format, **CONV_3X3_S2)
    x = w.quant("Quant_hidden2", w.node("Relu", "relu2", [x]), model.hidden2_format)
    x = w.node("Flatten", "flatten", [x], axis=1)
    w.layer("Gemm", "dense", x, model.dense, WEIGHT, model.bias_format, transB=1)
    w.save(path, [1, 12, 12], "logits", [5])


def export_autoencoder(model, path):
    w = GraphWriter()
    encoder, decoder = model.encoder, model.decoder
    x = w.quant("Quant_input", "input", encoder.cell_format)
    x = w.layer("Conv", "encoder.conv", x, encoder.conv, WEIGHT, encoder.bias_format, **CONV_3X3_S2)
    x = w.quant("Quant_hidden", w.node("Relu", "encoder_relu", [x]), encoder.hidden_format)
    x = w.node("Flatten", "flatten", [x], axis=1)
    x = w.layer("Gemm", "encoder.dense", x, encoder.dense, WEIGHT, encoder.bias_format, transB=1)
    x = w.quant("Quant_latent", w.node("Relu", "latent_relu", [x]), encoder.latent_format)
    x = w.layer("Gemm", "decoder.dense", x, decoder.dense, transB=1)
    x = w.node("Relu", "decoder_relu", [x])
    x = w.node("Reshape", "reshape", [x, w.constant("reshape_shape", [-1, 12, 3, 3], np.int64)])
    x = w.layer("ConvTranspose", "decoder.deconv", x, decoder.deconv, kernel_shape=[4, 4], strides=[2, 2],
                pads=[1, 1, 1, 1], dilations=[1, 1], group=1)
    w.node("Sigmoid", "sigmoid", [x])
    w.save(path, [1, 6, 6], "cells", [1, 6, 6])
