"""Faulty models in their own framework.

A struck tensor holds the numbers that its faulty words stand for, and its own quantizer is taken out of their way: a
flipped code may lie outside the range that the quantizer gives, and scales stay those of the golden model.
"""

from __future__ import annotations

import importlib
import json
import os
from typing import Any

from flipscope import session
from flipscope._core import Error
from flipscope.fault import Fault
from flipscope.model import Model

#: QONNX operators that give the numbers that codes stand for.
ONNX_QUANTIZERS = ("Quant", "IntQuant", "BipolarQuant", "Trunc")


def with_fault(model: Model, faults: list[Fault], out: Any) -> Model:
    values = {fault.tensor: model.values(fault.tensor, faults) for fault in faults}
    path = session.new_path("faulty.onnx" if model.path.endswith(".onnx") else "faulty.h5") if out is None else out
    if "+" in model.path:
        raise Error(f"[fault] {model.path} is several models; give the one that has the fault")
    if model.path.endswith(".onnx"):
        return _onnx_with(model, faults, values, os.fspath(path))
    return _keras_with(model, values, os.fspath(path))


def load_onnx(model: Model) -> Any:
    if not model.path.endswith(".onnx"):
        raise Error(f"[model] {model.path} is no ONNX model")
    try:
        import onnx
    except ImportError:
        raise Error("[model] the package onnx is not installed; pip install onnx") from None
    return onnx.load(model.path)


def _onnx_with(model: Model, faults: list[Fault], values: dict, path: str) -> Model:
    import numpy

    proto = load_onnx(model)
    from onnx import numpy_helper

    for node in [n for n in proto.graph.node if n.op_type == "Constant" and n.output[0] in values]:
        constant = node.attribute[0].t
        constant.name = node.output[0]
        proto.graph.initializer.append(constant)
        proto.graph.node.remove(node)
    initializers = {tensor.name: tensor for tensor in proto.graph.initializer}
    for tensor, numbers in values.items():
        stored = initializers.get(tensor)
        if stored is None:
            raise Error(f"[fault] '{tensor}' is no initializer of {model.path}; only those can be struck in a file")
        if _bypass_quantizers(proto.graph, tensor):
            faulty = numbers.astype(numpy.float32)
        else:
            faulty = _struck(numpy_helper.to_array(stored), [f for f in faults if f.tensor == tensor])
        stored.CopyFrom(numpy_helper.from_array(faulty, tensor))
    with open(path, "wb") as file:
        file.write(proto.SerializeToString())
    return Model(path)


def _bypass_quantizers(graph: Any, tensor: str) -> bool:
    """Takes the quantizers between an initializer and what is computed from samples out of the graph. QuantizeLinear stays:
    it gives every code. False where no quantizer is there: the initializer's own words are what is stored."""
    constant = {t.name for t in graph.initializer}
    reached, found, linear = {tensor}, [], False
    for node in graph.node:  # In an order in which everything is made before it is read.
        if node.op_type == "Constant" or (node.input and all(i in constant or not i for i in node.input)):
            constant.update(node.output)
            if reached.intersection(node.input):
                reached.update(node.output)
                linear = linear or node.op_type == "QuantizeLinear"
                if node.op_type in ONNX_QUANTIZERS:
                    found.append(node)
    for quantizer in found:
        for node in graph.node:
            for place, name in enumerate(node.input):
                if name == quantizer.output[0]:
                    node.input[place] = quantizer.input[0]
        graph.node.remove(quantizer)
    return linear or bool(found)


def _struck(array: Any, faults: list[Fault]) -> Any:
    """Flips bits of an array's own words."""
    import numpy

    words = array.copy().reshape(-1).view(numpy.dtype(f"u{array.dtype.itemsize}"))
    for fault in faults:
        words[fault.index] ^= words.dtype.type(1 << fault.bit)
    return words.view(array.dtype).reshape(array.shape)


def load_keras(model: Model) -> Any:
    if model._live is not None:
        return model._live
    try:
        keras = importlib.import_module("keras")
    except ImportError:
        raise Error("[model] Keras is not installed; pip install the framework that wrote the model") from None
    objects = _quantized_objects()
    if ".json:" not in model.path:
        return keras.models.load_model(model.path, custom_objects=objects, compile=False)
    config, weights = model.path.split(".json:")
    with open(config + ".json", encoding="utf-8") as file:
        live = keras.models.model_from_json(file.read(), custom_objects=objects)
    live.load_weights(weights)
    return live


def _quantized_objects() -> dict:
    objects: dict = {}
    try:
        from qkeras.utils import _add_supported_quantized_objects
    except ImportError:
        return objects
    _add_supported_quantized_objects(objects)
    return objects


def _keras_with(model: Model, values: dict, path: str) -> Model:
    live = load_keras(model)
    keras = importlib.import_module(type(live).__module__.split(".")[0])
    config = json.loads(live.to_json())
    for tensor in values:
        *layers, weight = tensor.split("/")
        settings = _layer_config(config, layers)
        quantizer = weight.replace("_kernel", "") + "_quantizer"  # depthwise_kernel: depthwise_quantizer
        if quantizer in settings:
            settings[quantizer] = None
    faulty = keras.models.model_from_json(json.dumps(config), custom_objects=_quantized_objects())
    faulty.set_weights(model._weights or live.get_weights())
    for tensor, numbers in values.items():
        *layers, weight = tensor.split("/")
        layer = faulty
        for name in layers:
            layer = layer.get_layer(name)
        if not hasattr(layer, weight):  # Keras 3 has one name for all of them.
            weight = weight.replace("depthwise_kernel", "kernel")
        getattr(layer, weight).assign(numbers.astype("float32"))
    try:
        faulty.save(path, include_optimizer=False)
    except TypeError:  # Keras 3 has no such option.
        faulty.save(path)
    return Model(path, live=faulty)


def _layer_config(config: dict, layers: list[str]) -> dict:
    """The settings of a layer, by the names of the models that it is in and its own."""
    for name in layers:
        entries = config["config"]["layers"]
        found = [entry for entry in entries if entry["config"].get("name") == name]
        if not found:
            raise Error(f"[fault] the Keras model has no layer '{name}'")
        config = found[0]
    return config["config"]
