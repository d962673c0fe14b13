"""Live models of other frameworks."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from flipscope import session
from flipscope._core import Error
from flipscope.hgq_formats import layers_of
from flipscope.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator


def from_onnx(model: Any) -> Model:
    """Of the bytes of a model, an onnx.ModelProto, or a file name."""
    if isinstance(model, str) or hasattr(model, "__fspath__"):
        return Model(model)
    data = model if isinstance(model, (bytes, bytearray, memoryview)) else model.SerializeToString()
    return Model(session.bytes_file(bytes(data), ".onnx"))


def from_keras(model: Any) -> Model:
    """Of a Keras (2 or 3) or QKeras model, through its configuration (JSON) and its weights (HDF5). An HGQ2 model goes
    through hls4ml, which must be installed, as from_hls4ml(…, keras=model) takes it; call hgq.utils.trace_minmax
    before."""
    if hasattr(model, "layers") and layers_of(model):
        return _from_hgq(model)
    path = session.new_path("model.h5")
    try:
        model.save(path, include_optimizer=False)
    except TypeError:  # Keras 3 has no such option.
        model.save(path)
    return Model(path, live=model)


def _from_hgq(model: Any) -> Model:
    try:
        from hls4ml.converters import convert_from_keras_model
    except ImportError:
        raise Error("[keras] HGQ2's layers are read through hls4ml, which is not installed; pip install hls4ml") from None
    settings = {"Model": {"Precision": "ap_fixed<16,6>", "ReuseFactor": 1}}  # HGQ2's own precisions replace it.
    converted = convert_from_keras_model(model, output_dir=os.path.dirname(session.new_path("hls4ml")),
                                         backend="Vivado", io_type="io_parallel", hls_config=settings)
    return from_hls4ml(converted, keras=model)


@contextlib.contextmanager
def _evaluating(module: Any) -> Iterator[None]:
    """A torch module in evaluation mode; afterwards each part of it is in the mode that it was in."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def from_torch(module: Any, example: Any, **options: Any) -> Model:
    """Of a torch.nn.Module, through ONNX export in evaluation mode; `example` is a batch (a tensor, or a tuple of
    arguments). `options` go to torch.onnx.export. Weights keep the names and values of the module's state, and
    batch normalization is not folded into them."""
    import inspect
    import io

    import torch

    file = io.BytesIO()
    settings = {"opset_version": 17, "do_constant_folding": False, "input_names": ["input"],
                "output_names": ["output"], "training": torch.onnx.TrainingMode.PRESERVE, **options}
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        settings.setdefault("dynamo", False)
    with _evaluating(module):
        torch.onnx.export(module, example, file, **settings)
    return from_onnx(file.getvalue())


def from_brevitas(module: Any, example: Any) -> Model:
    """Of a Brevitas module, through QONNX export; `example` is a batch."""
    try:
        from brevitas.export import export_qonnx
    except ImportError:
        raise Error("[brevitas] the package brevitas is not installed; pip install brevitas") from None
    path = session.new_path("model.onnx")
    with _evaluating(module):
        export_qonnx(module, args=example, export_path=path)
    with open(path, "rb") as file:
        data = file.read()
    os.remove(path)
    return from_onnx(data)


def from_hls4ml(model: Any, keras: Any = None) -> Model:
    """Of an hls4ml ModelGraph, or the `.fml` file of one: weights, results and accumulators in the precisions that
    hls4ml gave them, weights in hls4ml's order. `keras` is the HGQ2 model that it was converted from: weights then have
    the formats that HGQ2 trained, one for each element, and sums are whole, as HGQ2 means them. Where a layer or a
    precision does not map, Error names it; docs/python.md has the limits. Needs the package onnx; a file needs hls4ml."""
    from flipscope.hls4ml_graph import to_qonnx

    if isinstance(model, str) or hasattr(model, "__fspath__"):
        try:
            from hls4ml.utils.serialization import deserialize_model
        except ImportError:
            raise Error("[hls4ml] the package hls4ml is not installed; pip install hls4ml") from None
        if not os.path.isfile(model):
            raise Error(f"[hls4ml] {os.fspath(model)}: there is no such file")
        model = deserialize_model(os.fspath(model), output_dir=os.path.dirname(session.new_path("hls4ml")))
    if not hasattr(model, "get_layers"):
        raise Error(f"[hls4ml] a {type(model).__name__} is no hls4ml model; give a ModelGraph or a .fml file")
    trained = layers_of(keras) if hasattr(keras, "layers") else {}
    if keras is not None and not trained:
        raise Error(f"[hls4ml] keras= is a {type(keras).__name__} without layers of HGQ2; give the model that was converted")
    return from_onnx(to_qonnx(model, trained))
