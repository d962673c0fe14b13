"""Models: files, or live models of other frameworks in a file of this session."""

from __future__ import annotations

import os
import shutil
from functools import cached_property
from typing import TYPE_CHECKING, Any

from flipscope import _core
from flipscope.fault import Faults, faults_of

if TYPE_CHECKING:
    import numpy

    from flipscope.store import Store
    from flipscope.verbs import Bits, Ranking, Run


def example(name: str) -> str:
    """The path of a file of the networks that come along: classifier.onnx, autoencoder.onnx, their inputs, labels,
    outputs, and cell_distance.csv."""
    folder = os.path.join(os.path.dirname(__file__), "examples")
    path = os.path.join(folder, name)
    if not os.path.isfile(path):
        known = ", ".join(sorted(n for n in os.listdir(folder) if n.endswith((".onnx", ".npy", ".csv"))))
        raise _core.Error(f"[example] there is no example '{name}'; there are {known}")
    return path


class Model:
    """A network: `model.onnx` (float, QONNX, QDQ), `model.h5`, `.hdf5` or `.keras` (Keras, QKeras),
    `config.json:weights.hdf5`, or `A+B`: A's output feeds B. Raises Error where it cannot be read."""

    def __init__(self, path: str | os.PathLike | Model, *, live: Any = None) -> None:
        self.path: str = path.path if isinstance(path, Model) else os.fspath(path)
        self._live = live  # A Keras model, which may be trained on; what the file holds is:
        self._weights = None if live is None else live.get_weights()

    def __fspath__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        return f"flipscope.Model({self.path!r})"

    @cached_property
    def _network(self) -> _core.Network:
        return _core.Network(self.path)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """With the batch of 1 first."""
        return tuple(self._network.input_shape)

    @property
    def output_shape(self) -> tuple[int, ...]:
        return tuple(self._network.output_shape)

    @property
    def layout(self) -> str:
        """"nchw" or "nhwc"."""
        return self._network.layout

    @property
    def tensors(self) -> list[dict]:
        """What is stored: name, layer, part, shape, format, bits of each tensor."""
        return self._network.tensors()

    def values(self, tensor: str, faults: Faults = ()) -> numpy.ndarray:
        """The numbers (float64) that a tensor's stored words stand for, under these faults."""
        return self._network.values(tensor, faults_of(faults))

    def __call__(self, inputs: Any, faults: Faults = (), *, threads: int = 0) -> numpy.ndarray:
        """Outputs (float32, samples first) of an array of samples in the model's own units and layout, with the
        bits of these faults flipped. The same bits for any number of threads."""
        import numpy

        array = numpy.ascontiguousarray(inputs, dtype=numpy.float32)
        return self._network.run(array, faults_of(faults), threads)

    def with_fault(self, faults: Faults, out: str | os.PathLike | None = None) -> Model:
        """The model with the bits of these faults flipped, as a model of the same framework; in the file `out`,
        or one of this session. See `to_onnx` and `to_keras`."""
        from flipscope.with_fault import with_fault

        return with_fault(self, faults_of(faults), out)

    def to_onnx(self) -> Any:
        """As an onnx.ModelProto. Needs the package onnx."""
        from flipscope.with_fault import load_onnx

        return load_onnx(self)

    def to_keras(self) -> Any:
        """As a Keras model. Needs the framework that wrote it (TensorFlow with QKeras, or Keras)."""
        from flipscope.with_fault import load_keras

        return load_keras(self)

    def save(self, path: str | os.PathLike) -> Model:
        """A copy of the model's file, to outlive this session."""
        if not os.path.isfile(self.path):
            raise _core.Error(f"[model] {self.path} is several files; copy them one by one")
        shutil.copyfile(self.path, path)
        saved = Model(path, live=self._live)
        saved._weights = self._weights
        return saved

    def info(self, **options: Any) -> dict:
        from flipscope.verbs import info

        return info(self, **options)

    def run(self, inputs: Any, **options: Any) -> Run:
        from flipscope.verbs import run

        return run(self, inputs, **options)

    def inject(self, inputs: Any, store: str | os.PathLike, **options: Any) -> Store:
        from flipscope.verbs import inject

        return inject(self, inputs, store, **options)

    def rank(self, inputs: Any = None, **options: Any) -> Ranking:
        from flipscope.verbs import rank

        return rank(self, inputs, **options)

    def trace(self, inputs: Any, **options: Any) -> dict:
        from flipscope.verbs import trace

        return trace(self, inputs, **options)

    def vulnerability(self, inputs: Any, **options: Any) -> dict:
        from flipscope.verbs import vulnerability

        return vulnerability(self, inputs, **options)

    def slice(self, inputs: Any, **options: Any) -> Bits:
        from flipscope.verbs import slice

        return slice(self, inputs, **options)

    def sample_size(self, **options: Any) -> dict:
        from flipscope.verbs import sample_size

        return sample_size(self, **options)

    def bench(self, inputs: Any, **options: Any) -> dict:
        from flipscope.verbs import bench

        return bench(self, inputs, **options)

    for _verb in (info, run, inject, rank, trace, vulnerability, slice, sample_size, bench):
        _verb.__doc__ = f"flipscope.{_verb.__name__} of this model."
    del _verb
