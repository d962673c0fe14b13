"""Keras 3 and HGQ2. Needs keras 3 with a backend; hgq2, hls4ml, onnx and g++ for HGQ2."""

import importlib.util
import os
import tempfile
import unittest

import numpy as np

import flipscope


def keras3():
    if importlib.util.find_spec("keras") is None:
        return False
    if importlib.util.find_spec("jax"):
        os.environ.setdefault("KERAS_BACKEND", "jax")
    try:
        import keras
    except ImportError:
        return False
    return keras.__version__.startswith("3.")


KERAS3 = keras3()
HGQ2 = KERAS3 and all(importlib.util.find_spec(name) for name in ("hgq", "hls4ml", "onnx"))


@unittest.skipUnless(KERAS3, "Keras 3 is not installed")
class Keras3(unittest.TestCase):
    def setUp(self):
        import keras

        keras.utils.set_random_seed(0)
        inputs = keras.Input((8, 8, 2))
        a = keras.layers.Conv2D(4, 3, padding="same", name="conv")(inputs)
        a = keras.layers.ReLU()(keras.layers.BatchNormalization(name="norm")(a))
        b = keras.layers.DepthwiseConv2D(3, padding="same", name="depthwise")(a)
        c = keras.layers.Add()([a, b])
        c = keras.layers.Flatten()(keras.layers.MaxPooling2D()(c))
        self.live = keras.Model(inputs, keras.layers.Dense(5, activation="softmax", name="dense")(c))
        self.x = np.random.default_rng(0).normal(size=(30, 8, 8, 2)).astype(np.float32)

    def test_outputs_and_faults(self):
        model = flipscope.from_keras(self.live)
        np.testing.assert_allclose(model(self.x), np.asarray(self.live(self.x)), atol=2e-6)
        np.testing.assert_array_equal(model.values("dense/kernel"), np.asarray(self.live.get_layer("dense").kernel))
        for fault in (("conv/kernel", 5, 30), ("dense/kernel", 40, 27), ("depthwise/depthwise_kernel", 3, 31)):
            faulty = model.with_fault(fault)
            np.testing.assert_allclose(np.asarray(faulty.to_keras()(self.x)), model(self.x, fault), atol=2e-6)
            self.assertGreater(np.abs(model(self.x, fault) - model(self.x)).max(), 1e-5)


    def test_keras_files(self):
        import keras

        inner = keras.Sequential([keras.Input((8, 8, 2)), keras.layers.Conv2D(3, 3, name="first"),
                                  keras.layers.Conv2D(3, 3, name="second")], name="inner")
        inputs = keras.Input((8, 8, 2))
        x = keras.layers.Flatten()(inner(inputs))
        x = keras.layers.Dense(6, name="b")(keras.layers.Dense(6, name="a", activation="hard_sigmoid")(x))
        nested = keras.Model(inputs, x)
        for live in (self.live, nested):
            with tempfile.TemporaryDirectory() as folder:
                live.save(folder + "/model.keras")
                model = flipscope.Model(folder + "/model.keras")
                h5 = flipscope.from_keras(live)
                self.assertEqual([t["name"] for t in model.tensors], [t["name"] for t in h5.tensors])
                np.testing.assert_array_equal(model(self.x), h5(self.x))
                with open(folder + "/model.keras", "rb") as file:
                    data = file.read()
                with open(folder + "/cut.keras", "wb") as file:
                    file.write(data[:-100])
                with self.assertRaisesRegex(flipscope.Error, r"cut\.keras"):
                    flipscope.Model(folder + "/cut.keras").info()


@unittest.skipUnless(HGQ2, "hgq2, hls4ml or onnx is not installed")
class Hgq2(unittest.TestCase):
    def converted(self, live, x, folder):
        import hls4ml
        from hgq.utils import trace_minmax

        trace_minmax(live, x)
        return hls4ml.converters.convert_from_keras_model(
            live, output_dir=folder, backend="Vivado", io_type="io_parallel",
            hls_config={"Model": {"Precision": "ap_fixed<16,6>", "ReuseFactor": 1}})

    def randomized(self, live):
        """Another number of bits for each element, as training leaves them."""
        rng = np.random.default_rng(5)
        for variable in live.variables:
            if variable.path.split("/")[-1] == "f" and variable.ndim > 0:
                variable.assign(np.asarray(variable) + rng.integers(-3, 2, variable.shape))

    def test_the_bits_of_hgq2_and_of_the_c_simulation(self):
        import keras
        from hgq.config import QuantizerConfigScope
        from hgq.layers import QConv2D, QDense

        for name, shape in (("dense", (10,)), ("convolution", (6, 6, 2))):
            keras.utils.set_random_seed(1)
            with tempfile.TemporaryDirectory() as folder, QuantizerConfigScope(place="all", default_q_type="kbi"), \
                    QuantizerConfigScope(place="datalane", overflow_mode="WRAP"):
                layers = [QDense(8, activation="relu")] if name == "dense" else [
                    QConv2D(3, 3, activation="relu"), keras.layers.Flatten()]
                live = keras.Sequential([keras.Input(shape), *layers, QDense(5)])
                x = np.random.default_rng(0).normal(size=(100, *shape)).astype(np.float32)
                live(x)
                self.randomized(live)
                hls = self.converted(live, x, folder)
                model = flipscope.from_hls4ml(hls)
                ours = model(x)
                with self.assertRaisesRegex(flipscope.Error, "HGQ2"):
                    flipscope.from_keras(live)
                hls.compile()
                np.testing.assert_array_equal(ours, hls.predict(x).reshape(100, -1), name)
                np.testing.assert_array_equal(ours, np.asarray(live(x)).reshape(100, -1), name)
                self.assertGreater(len(np.unique(ours)), 50)


if __name__ == "__main__":
    unittest.main()
