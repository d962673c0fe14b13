"""Models of ONNX, PyTorch, Brevitas and QKeras: outputs and faults as the framework has them."""

import unittest

import numpy as np

import flipscope
from case import Case, has


class Frameworks(Case):
    def test_onnx_with_fault(self):
        if not has("onnx"):
            self.skipTest("onnx is not installed")
        x = self.inputs / 256
        for fault in (("conv1.weight", 5, 5), ("dense.weight", 100, 4)):
            faulty = self.model.with_fault(fault, out=self.path("faulty.onnx"))
            self.assertNotEqual(self.model.values(fault[0], fault).ravel()[fault[1]],
                                self.model.values(fault[0]).ravel()[fault[1]])
            np.testing.assert_array_equal(faulty(x), self.model(x, fault))
        self.assertEqual(faulty.to_onnx().graph.name, self.model.to_onnx().graph.name)

    def test_quantizers_that_wrap(self):
        if not has("onnx"):
            self.skipTest("onnx is not installed")
        from onnx import TensorProto, helper

        def model(mode):
            made = [helper.make_tensor(name, TensorProto.FLOAT, [], [value])
                    for name, value in (("step", 0.5), ("zero", 0), ("width", 4))]
            quant = helper.make_node("Quant", ["x", "step", "zero", "width"], ["y"], domain="qonnx.custom_op.general",
                                     signed=1, narrow=0, rounding_mode="FLOOR", overflow_mode=mode)
            ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 9]) for name in "xy"]
            return helper.make_model(helper.make_graph([quant], "g", ends[:1], ends[1:], made))

        x = np.array([[-5, -4, -3.75, 0, 3.9, 4, 4.5, 11.75, 12]], np.float32)
        wrapped = np.array([[3, -4, -4, 0, 3.5, -4, -3.5, 3.5, -4]], np.float32)
        np.testing.assert_array_equal(flipscope.from_onnx(model("WRAP"))(x), wrapped)
        np.testing.assert_array_equal(flipscope.from_onnx(model("SATURATE"))(x), np.clip(np.floor(2 * x) / 2, -4, 3.5))
        with self.assertRaisesRegex(flipscope.Error, "overflow_mode must be SATURATE or WRAP"):
            flipscope.from_onnx(model("REFLECT")).info()

    def test_torch(self):
        if not has("torch"):
            self.skipTest("torch is not installed")
        import torch

        torch.manual_seed(0)
        module = torch.nn.Sequential(
            torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.Flatten(),
            torch.nn.Linear(4 * 36, 5))
        module[1].running_var.uniform_(0.5, 2)
        x = torch.randn(20, 1, 6, 6)
        model = flipscope.from_torch(module, x[:1])
        self.assertTrue(module.training)
        np.testing.assert_allclose(model(x), module.eval()(x).detach().numpy(), rtol=1e-5, atol=1e-5)
        self.assertEqual({t["name"] for t in model.tensors if t["part"] == "weights"}, {"0.weight", "4.weight"})
        np.testing.assert_array_equal(model.values("0.weight"), module[0].weight.detach().numpy())

    def test_brevitas(self):
        if not has("brevitas"):
            self.skipTest("brevitas is not installed")
        import brevitas.nn
        import torch

        torch.manual_seed(0)
        module = torch.nn.Sequential(
            brevitas.nn.QuantIdentity(bit_width=6, return_quant_tensor=True),
            brevitas.nn.QuantConv2d(2, 4, 3, weight_bit_width=4, bias=True), brevitas.nn.QuantReLU(bit_width=5),
            torch.nn.Flatten(), brevitas.nn.QuantLinear(4 * 36, 5, bias=True, weight_bit_width=3))
        x = torch.randn(50, 2, 8, 8)
        module(x)  # Learns the ranges of activations.
        model = flipscope.from_brevitas(module, x[:1])
        weights = [t for t in model.tensors if t["part"] == "weights"]
        self.assertEqual([t["bits"] for t in weights], [4, 3])
        self.assertTrue(module.training)
        np.testing.assert_allclose(model(x), module.eval()(x).detach().numpy(), atol=1e-6)
        if has("onnx"):
            fault = (weights[0]["name"], 17, 3)
            np.testing.assert_allclose(model.with_fault(fault)(x), model(x, fault), atol=1e-6)
            self.assertGreater(np.abs(model(x, fault) - model(x)).max(), 1e-3)

    def test_keras(self):
        if not has("qkeras"):
            self.skipTest("qkeras is not installed")
        import qkeras
        import tensorflow as tf

        tf.keras.utils.set_random_seed(0)
        model = tf.keras.Sequential([
            tf.keras.Input((6, 6, 2)), qkeras.QActivation("quantized_bits(6,1)"),
            qkeras.QConv2D(3, 3, kernel_quantizer="quantized_bits(5,0,alpha=1)", bias_quantizer="quantized_bits(6,1)",
                           name="conv"),
            qkeras.QActivation("quantized_relu(5,1)"), tf.keras.layers.Flatten(),
            qkeras.QDense(4, kernel_quantizer="quantized_bits(4,0,alpha=1)", name="dense")])
        x = np.random.default_rng(0).normal(0, 1, (30, 6, 6, 2)).astype(np.float32)
        ours = flipscope.from_keras(model)
        np.testing.assert_array_equal(ours(x), model(x).numpy())
        for fault in (("conv/kernel", 11, 4), ("dense/kernel", 60, 3), ("dense/kernel", 5, 0)):
            faulty = ours.with_fault(fault)
            np.testing.assert_array_equal(faulty.to_keras()(x).numpy(), ours(x, fault))
            np.testing.assert_array_equal(faulty(x), ours(x, fault))
            read = flipscope.Model(ours.path).with_fault(fault).to_keras()
            np.testing.assert_array_equal(read(x).numpy(), ours(x, fault))


if __name__ == "__main__":
    unittest.main()
