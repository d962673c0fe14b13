#!/usr/bin/env python3
"""Runs the models of the FKeras study with QKeras itself, for `flipscope run --expect`.

Needs tensorflow 2.13 and qkeras 0.9. Layers FQDense, FQConv2D and FQActivation of FKeras are QKeras's QDense, QConv2D
and QActivation with more configuration keys; without a fault those keys mean nothing, so they are dropped.
"""

import argparse
import pathlib

import h5py
import numpy as np
import qkeras
import tensorflow as tf

FKERAS_KEYS = ("ber", "bit_loc")


def _without_fault_keys(base):
    class Layer(base):
        @classmethod
        def from_config(cls, config):
            return super().from_config({k: v for k, v in config.items() if k not in FKERAS_KEYS})

    Layer.__name__ = base.__name__
    return Layer


def custom_objects():
    objects = {}
    qkeras.utils._add_supported_quantized_objects(objects)
    for name in ("Dense", "Conv2D", "Activation"):
        objects["FQ" + name] = _without_fault_keys(objects["Q" + name])
    return objects


def read_model(path):
    """A Keras model from `model.h5`, or from `config.json:weights.hdf5`."""
    config, separator, weights = path.partition(":")
    if separator:
        model = tf.keras.models.model_from_json(pathlib.Path(config).read_text(), custom_objects())
        model.load_weights(weights)
        return model
    return tf.keras.models.load_model(path, custom_objects(), compile=False)


def read_samples(path):
    """Inputs and labels (or None): `.npy` as it is; CIFAR-10 binary as x / 256, NHWC."""
    if path.suffix == ".npy":
        return np.load(path).astype(np.float32), None
    records = np.fromfile(path, np.uint8).reshape(-1, 1 + 3072)
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return images.astype(np.float32) / 256, records[:, 0]


def before_softmax(model):
    """The same model without a final softmax layer, so that its outputs are logits."""
    last = model.layers[-1]
    if getattr(getattr(last, "activation", None), "__name__", "") != "softmax":
        return model
    return tf.keras.Model(model.inputs, last.input)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="model.h5, or config.json:weights.hdf5")
    parser.add_argument("inputs", type=pathlib.Path, help=".npy, or CIFAR-10 binary")
    parser.add_argument("outputs", type=pathlib.Path, help=".npy file to write, float32")
    arguments = parser.parse_args()
    samples, labels = read_samples(arguments.inputs)
    model = before_softmax(read_model(arguments.model))
    outputs = model.predict(samples, batch_size=64, verbose=0)
    np.save(arguments.outputs, outputs.astype(np.float32))
    print(f"{arguments.model}: outputs {list(outputs.shape)} written to {arguments.outputs}")
    if labels is not None:
        print(f"accuracy {np.mean(outputs.argmax(axis=1) == labels):.4%} of {len(labels)}")


if __name__ == "__main__":
    main()
