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

    def network(self, layers, shape):
        """With random widths per element, some of them 0, and samples that its ranges were traced with."""
        import keras
        from hgq.config import QuantizerConfigScope
        from hgq.utils import trace_minmax

        keras.utils.set_random_seed(3)
        with QuantizerConfigScope(place="all", default_q_type="kbi"), \
                QuantizerConfigScope(place="datalane", overflow_mode="WRAP"):
            live = keras.Sequential([keras.Input(shape), *layers()])
        x = np.random.default_rng(0).normal(size=(60, *shape)).astype(np.float32)
        live(x)
        rng = np.random.default_rng(6)
        for layer in live.layers:
            for name in ("kq", "bq"):
                if hasattr(layer, name):
                    bits = getattr(layer, name).quantizer._b
                    bits.assign(np.clip(np.asarray(bits) + rng.integers(-9, 2, bits.shape), 0, 12))
            if getattr(layer, "bias", None) is not None:
                layer.bias.assign(rng.normal(size=layer.bias.shape))
        trace_minmax(live, x)
        return live, x

    def test_formats_of_elements(self):
        import keras
        from hgq.layers import QConv2D, QDense

        for layers, shape in ((lambda: [QDense(8, activation="relu"), QDense(5)], (10,)),
                              (lambda: [QConv2D(3, 3, activation="relu"), keras.layers.Flatten(), QDense(4)], (6, 6, 2))):
            live, x = self.network(layers, shape)
            model = flipscope.from_keras(live)
            np.testing.assert_array_equal(model(x), np.asarray(live(x)).reshape(60, -1))
            tensors = {tensor["name"]: tensor for tensor in model.tensors}
            stored_bits, none = 0, 0
            for layer in live.layers:
                for which, name in (("weight", "kq"), ("bias", "bq")):
                    if not hasattr(layer, name):
                        continue
                    stored = tensors[f"{layer.name}.{which}"]
                    quantizer = getattr(layer, name).quantizer
                    values = np.asarray(layer.qkernel if which == "weight" else layer.qbias)
                    np.testing.assert_array_equal(model.values(stored["name"]), values)
                    k, i, f = (np.broadcast_to(np.asarray(part), values.shape) for part in quantizer.kif)
                    exists = (values != 0) | ((i + f > 0) & (quantizer.overflow_mode != "WRAP"))
                    bits = np.where(exists, k + np.maximum(i + f, 0), 0)
                    np.testing.assert_array_equal(stored["widths"], bits)
                    pruned = np.flatnonzero(bits == 0)
                    none += pruned.size
                    stored_bits += int(bits.sum()) if which == "weight" else 0
                    for index in np.flatnonzero(bits)[:40]:  # The sign moves it by 2^i.
                        top = int(bits.flat[index]) - 1
                        faulty = model.values(stored["name"], (stored["name"], int(index), top))
                        moved = (faulty - values).flat[index]
                        self.assertEqual(abs(moved), 2.0 ** i.flat[index] if k.flat[index] else 2.0 ** (i.flat[index] - 1))
                    for index in pruned[:3]:
                        with self.assertRaisesRegex(flipscope.Error, "stores 0 bits"):
                            model(x, (stored["name"], int(index), 0))
            self.assertGreater(none, 0)
            self.assertEqual(flipscope.info(model)["parts"]["weights"]["bits"], stored_bits)

    def compare_flips(self, live, layer, x):
        """Outputs where a weight is replaced by the number that its struck word stands for: HGQ2's own. How many flips
        could be compared, and how many of them change outputs."""
        model = flipscope.from_keras(live)
        golden, stored = np.asarray(layer.qkernel), f"{layer.name}.weight"
        np.testing.assert_array_equal(model(x), np.asarray(live(x)))
        tensor = next(tensor for tensor in model.tensors if tensor["name"] == stored)
        widths = tensor.get("widths", np.full(golden.shape, tensor["bits"]))
        latent, same, different = np.asarray(layer.kernel), 0, 0
        for index in range(golden.size):
            for bit in range(widths.flat[index]):
                fault = (stored, index, bit)
                struck = model.values(stored, fault)
                self.assertEqual((struck != golden).sum(), 1)
                layer.kernel.assign(np.where(struck != golden, struck, latent))
                if not np.array_equal(np.asarray(layer.qkernel), struck):
                    continue  # HGQ2's symmetric saturation has no lowest code.
                expected = np.asarray(live(x))
                np.testing.assert_array_equal(model(x, fault), expected, str(fault))
                different += int((expected != model(x)).any())
                same += 1
        return same, different

    def test_faults_are_those_of_hgq2(self):
        from hgq.layers import QDense

        live, x = self.network(lambda: [QDense(7)], (6,))
        same, different = self.compare_flips(live, live.layers[-1], x)
        self.assertGreater(same, 60)
        self.assertGreater(different, 40)

    def test_results_hold_what_faults_make_of_them(self):
        """Positive weights on positive inputs: hls4ml drops the sign of sums, which struck weights need."""
        import keras
        from hgq.config import QuantizerConfigScope
        from hgq.layers import QDense
        from hgq.utils import trace_minmax

        for axes in ({}, {"heterogeneous_axis": ()}):
            keras.utils.set_random_seed(3)
            with QuantizerConfigScope(place="all", default_q_type="kbi"), \
                    QuantizerConfigScope(place="datalane", overflow_mode="SAT", **axes):
                live = keras.Sequential([keras.Input((4,)), QDense(3, activation="relu"), QDense(2, use_bias=False),
                                         QDense(2)])
            x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
            live(x)
            middle = live.layers[1]
            middle.kernel.assign(np.abs(np.asarray(middle.kernel)) + 0.3)
            trace_minmax(live, x)
            self.assertGreater(self.compare_flips(live, middle, x)[1], 40)

    def test_a_campaign_strikes_what_is_stored(self):
        from hgq.layers import QDense

        live, x = self.network(lambda: [QDense(6, activation="relu"), QDense(4)], (8,))
        model = flipscope.from_keras(live)
        with tempfile.TemporaryDirectory() as folder:
            store = flipscope.inject(model, x, store=folder + "/run.db", verify=200)
            rows = store.rows()
            widths = {tensor["name"]: tensor.get("widths") for tensor in model.tensors}
            own = np.array([widths[t].flat[i] for t, i in zip(rows["tensor"], rows["index"])])
            np.testing.assert_array_equal(np.asarray(rows["bit"]) + np.asarray(rows["from_msb"]) + 1, own)
            expected = sum(int(w.sum()) for name, w in widths.items() if name.endswith(".weight"))
            self.assertEqual(len(own), expected)

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
                np.testing.assert_array_equal(flipscope.from_keras(live)(x), ours, name)
                hls.compile()
                np.testing.assert_array_equal(ours, hls.predict(x).reshape(100, -1), name)
                np.testing.assert_array_equal(ours, np.asarray(live(x)).reshape(100, -1), name)
                self.assertGreater(len(np.unique(ours)), 50)


if __name__ == "__main__":
    unittest.main()
