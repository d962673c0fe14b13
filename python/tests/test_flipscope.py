"""Tests of the package: python -m unittest discover python/tests, where flipscope is installed.

FLIPSCOPE_PROGRAM names the command line to compare with; else it is the package's own.
"""

import json
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
from unittest import mock

import numpy as np

import flipscope

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent.parent / "examples"
CLASSIFIER = EXAMPLES / "classifier.onnx"
SCALE = "1/256"
PROGRAM = shlex.split(os.environ.get("FLIPSCOPE_PROGRAM", f"{sys.executable} -m flipscope"))


def has(module):
    try:
        __import__(module)
    except ImportError:
        return False
    return True


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.inputs = np.load(EXAMPLES / "classifier_inputs.npy")[:100]
        self.labels = np.load(EXAMPLES / "classifier_labels.npy")[:100]
        self.samples = {"inputs": self.inputs, "labels": self.labels, "scale": SCALE}
        self.model = flipscope.Model(CLASSIFIER)

    def path(self, name):
        return str(self.folder / name)

    def campaign(self, name="run.db", **options):
        settings = {**self.samples, "layers": "conv1", "progress": False, **options}
        return flipscope.inject(self.model, store=self.path(name), **settings)

    def command_line(self, *words):
        return subprocess.run([*PROGRAM, *map(str, words)], capture_output=True, text=True, check=False)


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


class Campaigns(Case):
    def test_exports_are_the_command_lines(self):
        store = self.campaign()
        store.export(self.path("python.csv"))
        store.export(self.path("python_layers.csv"), by="layer")
        for name, array in (("x", self.inputs), ("y", self.labels)):
            np.save(self.path(name + ".npy"), array)
        done = self.command_line(
            "inject", CLASSIFIER, "--inputs", self.path("x.npy"), "--labels", self.path("y.npy"), "--scale", SCALE,
            "--layers", "conv1", "--store", self.path("cli.db"), "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.command_line("export", self.path("cli.db"), "--out", self.path("cli.csv"))
        self.command_line("export", self.path("cli.db"), "--by", "layer", "--out", self.path("cli_layers.csv"))
        for name in ("", "_layers"):
            python, cli = ((self.folder / f"{by}{name}.csv").read_bytes() for by in ("python", "cli"))
            self.assertGreater(len(python), 100)
            self.assertEqual(python, cli)

    def test_rows_and_rates(self):
        store = self.campaign()
        rows = store.rows()
        self.assertEqual(rows.rows, 432)
        self.assertEqual(set(rows["layer"]), {"conv1"})
        outcomes = sum(rows[name] for name in ("masked", "non_critical", "critical", "due"))
        self.assertTrue((outcomes == 100).all())
        rates = store.rates("bit")
        self.assertEqual(rates["bit"].tolist(), list(range(6)))
        summary = store.summary()
        self.assertEqual(summary["done"], 432)
        self.assertAlmostEqual(summary["critical"]["mean"], rows["critical"].mean() / 100)

    def test_rows_agree_with_faulty_outputs(self):
        store = self.campaign(bits="msb:1")
        x = self.inputs / 256
        golden = self.model(x).argmax(axis=1)
        rows = store.rows()
        for number in (0, 17, 71):
            fault = store.fault(number)
            faulty = self.model(x, fault)
            self.assertEqual((faulty.argmax(axis=1) != golden).sum(), rows["critical"][number])

    def test_pandas_takes_tables(self):
        if not has("pandas"):
            self.skipTest("pandas is not installed")
        import pandas

        frame = pandas.DataFrame(self.campaign(bits="msb:1").rows())
        self.assertEqual(frame.groupby("tensor")["critical"].count()["conv1.weight"], 72)

    def test_arrays_have_the_identity_of_their_bytes(self):
        first = self.campaign(bits="5").last_run
        again = self.campaign(bits="5").last_run  # The same store: it resumes.
        self.assertEqual((first["run_now"], again["run_now"]), (72, 0))
        with self.assertRaisesRegex(flipscope.Error, "samples"):
            self.campaign(bits="5", inputs=self.inputs + 1)

    def test_progress_that_raises_stops_and_the_campaign_resumes(self):
        class Enough(Exception):
            pass

        def progress(done, total, seconds):
            raise Enough

        whole = self.path("whole.csv")
        self.campaign("whole.db", layers=None, memory="1M").export(whole)
        with self.assertRaises(Enough):
            self.campaign("part.db", layers=None, progress=progress, threads=1)
        self.campaign("part.db", layers=None).export(self.path("part.csv"))
        self.assertEqual(pathlib.Path(whole).read_bytes(), (self.folder / "part.csv").read_bytes())

    def test_ctrl_c_stops_and_the_campaign_resumes(self):
        timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
        inputs = np.concatenate([self.inputs] * 40)
        labels = np.concatenate([self.labels] * 40)
        timer.start()
        with self.assertRaises(KeyboardInterrupt):
            self.campaign(layers=None, inputs=inputs, labels=labels, threads=1)
        self.assertLess(flipscope.Store(self.path("run.db")).summary()["done"], 8856)

    def test_a_score_of_ones_own(self):
        calls = []

        def mean_of_largest(outputs):
            calls.append(outputs.shape)
            return outputs.max(axis=1).mean(dtype=np.float64)

        store = self.campaign(bits="msb:1", score=mean_of_largest)
        self.assertEqual(set(calls), {(100, 5)})
        rows = store.rows()
        x = self.inputs / 256
        self.assertEqual(store.summary()["golden_score"], mean_of_largest(self.model(x)))
        for number in (3, 40):
            self.assertEqual(rows["score"][number], mean_of_largest(self.model(x, store.fault(number))))

    def test_a_score_that_raises(self):
        def broken(outputs):
            raise ValueError("no such thing")

        with self.assertRaisesRegex(flipscope.Error, r"\[score\] the score raised ValueError: no such thing"):
            self.campaign(bits="msb:1", score=broken)

    def test_shards_merge(self):
        whole = self.campaign("whole.db", faults="multi:2", select="random:200")
        parts = [self.campaign(f"{k}.db", faults="multi:2", select="random:200", shard=f"{k}/2") for k in (1, 2)]
        merged = flipscope.merge(parts, self.path("merged.db"))
        merged.export(self.path("merged.csv"))
        whole.export(self.path("whole.csv"))
        self.assertEqual((self.folder / "merged.csv").read_bytes(), (self.folder / "whole.csv").read_bytes())
        self.assertEqual(len(whole.fault(0)), 2)


class Verbs(Case):
    def test_run(self):
        result = self.model.run(**self.samples)
        np.testing.assert_array_equal(result.outputs, self.model(self.inputs / 256))
        self.assertEqual(result["accuracy"], np.mean(result.outputs.argmax(axis=1) == self.labels))
        self.assertTrue(self.model.run(**self.samples, expect=result.outputs)["expect"]["same"])
        self.assertFalse(self.model.run(**self.samples, expect=result.outputs + 1)["expect"]["same"])

    def test_rank_is_a_selection_and_is_judged(self):
        ranking = self.model.rank(**self.samples, metric="flip", layers="conv1")
        self.assertEqual(ranking["rank"].tolist(), list(range(432)))
        top = self.campaign("top.db", select=ranking.select(50), layers=None)
        self.assertEqual(top.rows()["bit"].tolist(), ranking["bit"][:50].tolist())
        judged = flipscope.evaluate(self.campaign(), ranking)
        self.assertEqual(len(judged["rankings"]), 2)

    def test_a_table_protects(self):
        ranking = self.model.rank(metric="msb", **self.samples, layers="conv1")
        protect = {name: ranking[name][:72] for name in ("layer", "tensor", "index", "bit")}
        rows = self.campaign(protect=protect).rows()
        self.assertTrue((rows["masked"][rows["bit"] == 5] == 100).all())

    def test_protect(self):
        store = self.campaign()
        bits = flipscope.protect(store, budget="bits:10%")
        self.assertEqual(bits.rows, 43)
        self.assertEqual(set(bits["tensor"]), {"conv1.weight"})
        rows = self.campaign("protected.db", protect=bits).rows()
        self.assertLess(rows["critical"].sum(), store.rows()["critical"].sum())
        for form, says in (("c-header", "protect_conv1_weight[72]"), ("tmrg", "module protected_conv1_weight ")):
            flipscope.protect(store, budget=10, to=form, out=self.path("plan"))
            self.assertIn(says, (self.folder / "plan").read_text())

    def test_slice(self):
        scores = self.model.slice(**self.samples, layers="conv1", heuristic="centroid:mean", oracle=self.campaign())
        self.assertEqual(scores["fault"].tolist(), list(range(432)))
        self.assertIn("centroid:mean", scores)

    def test_compare(self):
        both = flipscope.compare([self.campaign("a.db"), self.campaign("b.db", layers="dense")])
        self.assertEqual([(d["name"], d["bits"]) for d in both["designs"]], [("a", 432), ("b", 3240)])

    def test_vulnerability(self):
        factors = self.model.vulnerability(self.inputs[:16], scale=SCALE, sampling="complete", layers="dense")
        self.assertIn("dense", json.dumps(factors))

    def test_trace(self):
        result = self.model.trace(**self.samples, layers="dense", top=1, probes=2)
        self.assertIn("layers", result)

    def test_report_shows_itself(self):
        page = flipscope.report(self.campaign(), out=self.path("report.html"))
        self.assertTrue((self.folder / "report.html").read_text().lower().startswith("<!doctype html>"))
        self.assertIn("<iframe srcdoc=", page._repr_html_())
        self.assertIsNone(page._repr_markdown_())

    def test_a_report_takes_what_other_verbs_gave(self):
        store = self.campaign()
        self.model.vulnerability(self.inputs[:16], scale=SCALE, sampling="complete", layers="dense",
                                 out=self.path("factors"))
        page = flipscope.report(
            [store, self.campaign("other.db")], format="csv",
            ranking=self.model.rank(**self.samples, metric="msb", layers="conv1"),
            slice=self.model.slice(**self.samples, layers="conv1", heuristic="l2", oracle=store),
            plan=[flipscope.protect(store, budget=10), flipscope.protect(store, budget=20, out=self.path("twenty.csv"))],
            vulnerability=self.path("factors"), costs={"store": ["run", "other"], "LUT": [3, 4]})
        sections = {line.split(",")[1] for line in page.text().splitlines()}
        self.assertLessEqual({"ranking", "slice", "plan", "vulnerability", "design"}, sections)
        self.assertIsNone(page._repr_html_())
        self.assertIn("twenty", page.text())
        self.assertIn("# ", flipscope.report(store, format="md")._repr_markdown_())

    def test_bench(self):
        times = self.model.bench(self.inputs[:8], scale=SCALE, layers="conv1", faults_per_layer=4, seconds=0.05)
        self.assertEqual(times["layers"][0]["layer"], "conv1")

    def test_sample_size(self):
        few, many = (self.model.sample_size(method="layer", error=e)["networks"][0] for e in (0.1, 0.02))
        self.assertLess(few["faults"], many["faults"])

    def test_any_verb(self):
        self.assertEqual(flipscope.verb("info", self.model)["parts"]["weights"]["bits"], 8856)
        with self.assertRaisesRegex(flipscope.Error, "there is no verb"):
            flipscope.verb("fly")


class Notebooks(Case):
    """What notebooks show."""

    def shows(self, thing, *words):
        shown = thing._repr_html_()
        for word in words:
            self.assertTrue(word in shown, f"{word!r} is not in {shown[:300]}… ({len(shown)} characters)")
        return shown

    def test_a_store_shows_parts_of_its_report(self):
        store = self.campaign()
        self.shows(store, "<iframe srcdoc=", ":not(#answer):not(#where)", "&quot;done&quot;: 432")
        with mock.patch("flipscope.display.SHOWN_UNASKED", 100):  # As of a campaign of many faults.
            shown = self.shows(store, "432 of 432 faults on 100 samples", "<td>masked</td>")
        self.assertLess(len(shown), 1000)

    def test_a_ranking_and_its_evaluation(self):
        ranking = self.model.rank(**self.samples, metric="msb", layers="conv1")
        self.shows(ranking, "The first 43 of 432 bits", "<th>bit 5</th>", ">43</td>", "<th>score</th>")
        gradient = self.model.rank(**self.samples, metric="gradient", layers="conv1")
        judged = flipscope.evaluate(self.campaign(), [ranking, gradient])
        names = [pathlib.Path(r["ranking"]).stem for r in judged["rankings"]]
        self.assertEqual(names, ["msb", "gradient", "(best possible)"])
        self.shows(judged, "<iframe srcdoc=", ":not(#rankings)", "&quot;msb&quot;", "&quot;gradient&quot;")

    def test_a_plan(self):
        plan = flipscope.protect(self.campaign(), budget="bits:10%")
        left = next(p["error_left"] for p in plan.summary["points"] if p["bits"] == 43)
        self.shows(plan, "<b>43</b> of 432 bits", f"<b>{left:.1%}</b> of the harm", "<svg", "<polyline")
        ranking = self.model.rank(metric="msb", **self.samples, layers="conv1")
        bare = flipscope.protect(self.model, budget=5, ranking=ranking, layers="conv1", **self.samples)
        self.assertNotIn("<svg", self.shows(bare, "<b>5</b> of 432 bits"))

    def test_tables(self):
        table = flipscope.Table.of([{"a": 1, "b": "<x>", "c": [1]}, {"a": 2, "b": "y", "c": []}])
        self.assertEqual((table["a"].tolist(), table["b"].tolist(), "c" in table), ([1, 2], ["<x>", "y"], False))
        self.shows(table, "<td>&lt;x&gt;</td>")
        self.assertNotIn("<th>tensor</th>", self.shows(self.campaign().rates("layer"), "<th>critical</th>"))


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


class Package(unittest.TestCase):
    def test_command_line(self):
        done = subprocess.run([sys.executable, "-m", "flipscope", "info", str(CLASSIFIER), "--json"],
                              capture_output=True, text=True, check=True)
        self.assertEqual(json.loads(done.stdout), flipscope.info(CLASSIFIER))
        done = subprocess.run([sys.executable, "-m", "flipscope", "info"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    unittest.main()
