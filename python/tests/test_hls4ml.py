"""Models of hls4ml, judged by its own C simulation. Needs hls4ml, qkeras, onnx and g++."""

import importlib.util
import os
import tempfile
import unittest
from types import SimpleNamespace

import numpy as np

import flipscope

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = all(importlib.util.find_spec(name) for name in ("hls4ml", "qkeras", "onnx"))


def layer(name, kind, inputs, output, shape, weights=(), **attributes):
    """A layer as hls4ml's graphs hold it."""
    variable = SimpleNamespace(type=SimpleNamespace(precision=output), shape=shape)
    settings = {key: SimpleNamespace(precision=value) if key == "accum_t" else value
                for key, value in attributes.items()}
    return SimpleNamespace(
        name=name, class_name=kind, inputs=inputs, outputs=[name], variables={name: variable},
        weights={key: SimpleNamespace(type=SimpleNamespace(precision=form), data=data) for key, data, form in weights},
        get_output_variable=lambda: variable, get_attr=lambda key, otherwise=None: settings.get(key, otherwise))


class FixedPrecisionType(SimpleNamespace):
    def __init__(self, width, integer, signed=True, rounding="TRN", saturation="WRAP"):
        super().__init__(width=width, integer=integer, signed=signed, rounding_mode=rounding,
                         saturation_mode=saturation)


class Standing:
    """An hls4ml model of two layers, where hls4ml is not installed."""

    outputs = ["dense"]
    config = SimpleNamespace(get_project_name=lambda: "standing")

    def __init__(self, result, accum):
        rng = np.random.default_rng(4)
        self.weights, self.biases = rng.integers(-32, 32, (8, 5)) / 32, rng.integers(-32, 32, 5) / 16
        form = FixedPrecisionType
        self.layers = [
            layer("x", "Input", [], form(8, 3, True, "RND", "SAT"), [8]),
            layer("dense", "Dense", ["x"], result, [5], accum_t=accum, weights=[
                ("weight", self.weights, form(6, 1)), ("bias", self.biases, form(7, 2))])]

    def get_layers(self):
        return self.layers


@unittest.skipUnless(importlib.util.find_spec("onnx"), "onnx is not installed")
class Arithmetic(unittest.TestCase):
    def test_integers_say_the_same(self):
        x = np.random.default_rng(1).normal(0, 2, (300, 8)).astype(np.float32)
        inputs = np.clip(np.floor(x.astype(float) * 32 + 0.5), -128, 127).astype(int)
        for result, expect in (
                (FixedPrecisionType(6, 2), lambda sums: (sums // 64 + 32) % 64 - 32),
                (FixedPrecisionType(6, 2, True, "RND", "SAT"), lambda sums: np.clip((sums + 32) // 64, -32, 31)),
                (FixedPrecisionType(6, 2, True, "TRN", "SAT_SYM"), lambda sums: np.clip(sums // 64, -31, 31)),
                (FixedPrecisionType(6, 2, False, "TRN", "SAT"), lambda sums: np.clip(sums // 64, 0, 63))):
            standing = Standing(result, FixedPrecisionType(24, 14))
            sums = inputs @ np.round(standing.weights * 32).astype(int) + np.round(standing.biases * 1024).astype(int)
            codes = expect(sums)
            self.assertGreater(len(np.unique(codes)), 25)
            np.testing.assert_array_equal(flipscope.from_hls4ml(standing)(x), codes / 16)

    def test_accumulators_must_hold_products(self):
        result = FixedPrecisionType(6, 2)
        for accum, says in (
                (FixedPrecisionType(16, 8), r"layer 'dense': accum_t ap_fixed<16,8> cuts its products.* 10 "),
                (FixedPrecisionType(24, 14, True, "TRN", "SAT"), "accum_t saturates")):
            with self.assertRaisesRegex(flipscope.Error, says):
                flipscope.from_hls4ml(Standing(result, accum))


@unittest.skipUnless(HERE, "hls4ml, qkeras or onnx is not installed")
class Hls4ml(unittest.TestCase):
    def setUp(self):
        import tensorflow as tf

        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        tf.keras.utils.set_random_seed(3)

    def converted(self, live, precision="fixed<16,6>", strategy="Latency", **settings):
        import hls4ml

        config = hls4ml.utils.config_from_keras_model(
            live, granularity="name", default_precision=precision, backend="Vivado")
        config["Model"]["Strategy"] = strategy
        for name, layer in config["LayerName"].items():
            layer["Strategy"] = strategy
            layer["Precision"].update(settings.get(name, {}))
        return hls4ml.converters.convert_from_keras_model(
            live, hls_config=config, output_dir=self.folder, backend="Vivado", io_type="io_parallel")

    def image_network(self):
        import qkeras as Q
        import tensorflow as tf

        bits = Q.quantized_bits
        return tf.keras.Sequential([
            tf.keras.Input((6, 6, 2)),
            Q.QConv2D(4, 3, padding="same", kernel_quantizer=bits(6, 0, alpha=1), bias_quantizer=bits(6, 1, alpha=1),
                      bias_initializer="random_normal", name="conv"),
            tf.keras.layers.BatchNormalization(
                gamma_initializer="random_uniform", beta_initializer="random_normal", name="norm"),
            Q.QActivation("quantized_relu(6,2)", name="relu"),
            tf.keras.layers.MaxPooling2D(2, name="pool"), tf.keras.layers.Flatten(name="flat"),
            Q.QDense(5, kernel_quantizer=bits(5, 0, alpha=1), bias_quantizer=bits(6, 1, alpha=1), name="dense"),
            tf.keras.layers.Activation("softmax", name="softmax")])

    def simulated(self, hls, x, last=None):
        """Outputs of the C simulation; of the layer before the softmax where there is one."""
        hls.compile()
        if last is None:
            return hls.predict(x).reshape(len(x), -1)
        return hls.trace(x)[1][last].reshape(len(x), -1)

    def test_the_bits_of_the_c_simulation(self):
        live = self.image_network()
        x = np.random.default_rng(1).normal(0, 2, (100, 6, 6, 2)).astype(np.float32)
        for strategy in ("Latency", "Resource"):
            hls = self.converted(live, strategy=strategy)
            model = flipscope.from_hls4ml(hls)
            for layer in hls.get_layers():
                layer.set_attr("trace", True)
            np.testing.assert_array_equal(model(x), self.simulated(hls, x, "dense"))
        tensors = {t["name"]: t["format"] for t in model.tensors}
        self.assertEqual((tensors["conv.weight"], tensors["dense.weight"]), ("fixed<6,1>", "fixed<5,1>"))

    def test_results_that_wrap(self):
        import qkeras as Q
        import tensorflow as tf

        live = tf.keras.Sequential([
            tf.keras.Input((8,)), Q.QDense(6, kernel_quantizer=Q.quantized_bits(6, 0, alpha=1), name="dense")])
        x = np.random.default_rng(2).normal(0, 3, (100, 8)).astype(np.float32)
        for result in ("fixed<8,2>", "fixed<8,2,RND,SAT>", "fixed<7,2,RND_CONV,SAT_SYM>", "fixed<8,3,RND_INF,WRAP>",
                       "fixed<8,3,RND_ZERO,SAT>", "fixed<8,3,RND_MIN_INF,SAT>", "fixed<8,3,TRN_ZERO,SAT>"):
            hls = self.converted(live, dense={"result": result})
            model = flipscope.from_hls4ml(hls)
            ours = model(x)
            np.testing.assert_array_equal(ours, self.simulated(hls, x))
            self.assertGreater(len(np.unique(ours)), 20)

    def test_a_flip_is_the_flip_of_hls4mls_word(self):
        live = self.image_network()
        x = np.random.default_rng(1).normal(0, 2, (50, 6, 6, 2)).astype(np.float32)
        hls = self.converted(live)
        model = flipscope.from_hls4ml(hls)
        fault = ("dense.weight", 7, 4)
        ours = model(x, fault)
        self.assertTrue((ours != model(x)).any())
        hls.graph["dense"].weights["weight"].data = model.values("dense.weight", fault).reshape(
            hls.graph["dense"].weights["weight"].data.shape)
        for layer in hls.get_layers():
            layer.set_attr("trace", True)
        np.testing.assert_array_equal(ours, self.simulated(hls, x, "dense"))

    def test_a_saved_model(self):
        from hls4ml.utils.serialization import serialize_model

        hls = self.converted(self.image_network())
        path = os.path.join(self.folder, "model.fml")
        serialize_model(hls, path)
        x = np.random.default_rng(1).normal(0, 2, (10, 6, 6, 2)).astype(np.float32)
        np.testing.assert_array_equal(flipscope.from_hls4ml(path)(x), flipscope.from_hls4ml(hls)(x))

    def test_what_does_not_map_is_named(self):
        import tensorflow as tf

        def says(live, words, **settings):
            with self.assertRaisesRegex(flipscope.Error, words):
                flipscope.from_hls4ml(self.converted(live, **settings))

        dense = tf.keras.layers.Dense
        says(tf.keras.Sequential([tf.keras.Input((4,)), dense(3, name="d"),
                                  tf.keras.layers.Activation("tanh", name="t")]), r"^\[hls4ml\] layer 't': .*table")
        says(tf.keras.Sequential([tf.keras.Input((4,)), dense(3, name="d")]), r"accum_t ap_fixed<16,6> cuts",
             d={"accum": "fixed<16,6>"})
        says(tf.keras.Sequential([tf.keras.Input((4, 3)), tf.keras.layers.LSTM(3, name="l")]), r"layer 'l': LSTM")
        with self.assertRaisesRegex(flipscope.Error, "no hls4ml model"):
            flipscope.from_hls4ml(7)


if __name__ == "__main__":
    unittest.main()
