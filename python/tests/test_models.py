"""Models as arrays: outputs, faulty outputs and values, and the masks of their words."""

import unittest

import numpy as np

import flipscope
from case import CLASSIFIER, EXAMPLES, Case


class Models(Case):
    def test_shapes_and_tensors(self):
        self.assertEqual(self.model.input_shape, (1, 1, 12, 12))
        self.assertEqual(self.model.output_shape, (1, 5))
        self.assertEqual(self.model.layout, "nchw")
        first = self.model.tensors[0]
        self.assertEqual((first["name"], first["part"], first["shape"], first["bits"]),
                         ("conv1.weight", "weights", (8, 1, 3, 3), 6))

    def test_outputs_are_the_frameworks(self):
        logits = np.load(EXAMPLES / "classifier_logits.npy")[:100]
        np.testing.assert_array_equal(self.model(self.inputs / 256), logits)

    def test_outputs_do_not_depend_on_threads(self):
        x = self.inputs / 256
        np.testing.assert_array_equal(self.model(x, threads=1), self.model(x, threads=2))

    def test_a_flip_changes_one_value(self):
        golden = self.model.values("conv1.weight")
        faulty = self.model.values("conv1.weight", ("conv1.weight", 7, 5))
        self.assertEqual(np.flatnonzero(golden.ravel() != faulty.ravel()).tolist(), [7])
        self.assertEqual(abs(faulty.ravel()[7] - golden.ravel()[7]), 1.0)  # The sign's weight: 32 steps of 2^-5.

    def test_two_flips_of_a_bit_are_none(self):
        flip = ("conv2.weight", 3, 2)
        np.testing.assert_array_equal(self.model(self.inputs / 256, [flip, flip]), self.model(self.inputs / 256))

    def test_bytes_have_the_files_identity(self):
        other = flipscope.from_onnx(CLASSIFIER.read_bytes())
        self.assertEqual(other.info()["identity"], self.model.info()["identity"])

    def test_mistakes_are_errors_of_one_line(self):
        mistakes = [
            lambda: flipscope.Model("none.onnx")(self.inputs),
            lambda: flipscope.Model("none.txt").info(),
            lambda: self.model(self.inputs[:, :, :3]),
            lambda: self.model(np.float32(1)),
            lambda: self.model(self.inputs, ("conv9", 0, 0)),
            lambda: self.model(self.inputs, ("conv1.weight", 72, 0)),
            lambda: self.model(self.inputs, ("conv1.weight", -1, 0)),
            lambda: self.model(self.inputs, ("conv1.weight", 0, 6)),
            lambda: self.model.run(self.inputs, nonsense=1),
            lambda: self.model.run(np.array(["a"])),
            lambda: self.campaign(in_="wheels"),
            lambda: self.campaign(labels=self.labels[:5]),
            lambda: self.campaign(score="best"),
            lambda: flipscope.Store(self.path("none.db")),
        ]
        for mistake in mistakes:
            with self.assertRaises(flipscope.Error) as caught:
                mistake()
            self.assertRegex(str(caught.exception), r"^\[[a-z]+\] [^\n]+$")


class Masks(Case):
    def test_bits_of_words(self):
        bits = [("conv1.weight", 7, 5), ("conv1.weight", 7, 0), ("dense.weight", 0, 2)]
        masks = flipscope.masks(self.model, bits)
        self.assertEqual(sorted(masks), ["conv1.weight", "dense.weight"])
        self.assertEqual(masks["conv1.weight"].shape, (8, 1, 3, 3))
        self.assertEqual(masks["conv1.weight"].ravel()[7], 33)
        self.assertEqual(masks["dense.weight"].sum(), 4)
        for wrong in (("conv1.weight", 72, 0), ("conv1.weight", 0, 6), ("wheel", 0, 0)):
            with self.assertRaisesRegex(flipscope.Error, r"\[masks\]"):
                flipscope.masks(self.model, [wrong])


if __name__ == "__main__":
    unittest.main()
