#!/usr/bin/env python3
"""Tests of the command line and its small verbs: cli_test.py PROGRAM [unittest options]."""

import gzip
import json
import os
import pathlib
import random
import sqlite3
import time

import cases
from cases import AUTOENCODER, Case, CLASSIFIER, EMD, EXAMPLES, INPUTS, LOGITS, npy, SAMPLES


class Usage(Case):
    def test_help_of_every_verb_has_an_example(self):
        overview = self.good("--help")
        for verb in ("info", "run", "inject", "export", "merge", "rank", "trace", "evaluate",
                     "report", "demo"):
            self.assertIn(f"\n  {verb} ", overview)
            text = self.good(verb, "--help")
            self.assertRegex(text, rf"Examples?:\n  flipscope {verb}")
            for common in ("--json", "--quiet", "--threads", "--seed", "--config"):
                self.assertIn(common, text)

    def test_no_verb(self):
        self.assertEqual(self.call().returncode, 2)
        self.assertRegex(self.good("--version"), r"^flipscope \d+\.\d+\.\d+\n$")

    def test_mistakes(self):
        self.bad("injekt", says=["injekt", "inject"])
        self.bad("info", says=["MODEL"])
        self.bad("info", CLASSIFIER, "--bitz", "3", says=["--bitz", "--bits"])
        self.bad("info", CLASSIFIER, "extra", says=["extra"])
        self.bad("info", CLASSIFIER, "--threads", "many", says=["--threads", "many", "whole number"])
        self.bad("info", CLASSIFIER, "--threads", "-1", says=["--threads"])
        self.bad("info", CLASSIFIER, "--threads", says=["--threads"])
        self.bad("info", CLASSIFIER, "--seed", "1.5", says=["--seed", "1.5"])
        self.bad("info", CLASSIFIER, "--in", "wheights", says=["wheights", "weights"])
        self.bad("inject", CLASSIFIER, *SAMPLES, says=["--store"])
        self.bad("inject", CLASSIFIER, "--store", "run.db", says=["--inputs"])
        self.bad("run", CLASSIFIER, says=["--inputs"])
        self.bad("merge", "a.db", says=["--out"])
        self.bad("export", "a.db", "--format", "xml", says=["xml", "fault-list"])
        self.bad("export", "a.db", "--by", "colour", says=["colour", "layer"])

    def test_config_file(self):
        config = self.folder / "options.toml"
        config.write_text('in = ["weights", "biases"]\nbits = "msb:1"\nstore = "other-verb.db"\n'
                          '[run]\nverify = 3\n')
        from_file = json.loads(self.good("info", CLASSIFIER, "--json", "--config", config))
        typed = json.loads(self.good("info", CLASSIFIER, "--json", "--in", "weights,biases", "--bits", "msb:1"))
        self.assertEqual(from_file, typed)
        before = json.loads(self.good("info", CLASSIFIER, "--json", "--config", config, "--in", "weights"))
        self.assertEqual(before["fault_space"]["in"], "weights")
        self.bad("info", CLASSIFIER, "--config", "absent.toml", says=["--config", "absent.toml"])

    def test_a_section_overrules_the_top_of_a_config_file(self):
        config = self.folder / "options.toml"
        config.write_text('in = "weights"\nlayers = "conv1"\n[info]\nin = "biases"\nlayers = "dense"\n')
        from_file = self.good("info", CLASSIFIER, "--json", "--config", config)
        self.assertEqual(from_file, self.good("info", CLASSIFIER, "--json", "--in", "biases", "--layers", "dense"))
        config.write_text('in = "weights"\n[info]\nin = 3\n')
        self.bad("info", CLASSIFIER, "--config", config, says=['"3"', "biases"])

    def test_config_files_are_toml(self):
        config = self.folder / "options.toml"
        config.write_text('# all of it\nlayers = [  # of two lines\n  "conv1",\n  \'dense\',\n]\n\n[info]  # here\n'
                          'bits = "msb:1" # the top\nin = "weights"\n')
        from_file = self.good("info", CLASSIFIER, "--json", "--config", config)
        self.assertEqual(from_file, self.good("info", CLASSIFIER, "--json", "--layers", "conv1,dense", "--bits", "msb:1"))
        for text, says in (("seed = 1\n\nbitz = 3\n", [":3", "bitz", "bits"]), ("[injec]\nseed = 1\n", [":1", "injec", "inject"]),
                           ('[info]\nstore = "x"\n', [":2", "store"]), ('bits = "5-2\n', [":1", "string"]),
                           ('layers = ["a", "b"\nseed = 3\n', [":2", "array"]), ('bits = "1" 2\n', [":1"]),
                           ("seed\n", [":1"]), ("seed =\n", [":1"]), ("seed = 1979-05-27\n", [":1", "a number"])):
            config.write_text(text)
            self.bad("info", CLASSIFIER, "--config", config, says=["options.toml", *says])

    def test_interrupted_while_options_are_read(self):
        os.mkfifo(self.folder / "options.toml")
        for words in (["info", CLASSIFIER], ["inject", CLASSIFIER, *SAMPLES, "--store", "run.db"]):
            begin = time.monotonic()
            self.stopped(*words, "--config", "options.toml", begun=lambda: time.monotonic() > begin + 1)

    def test_damaged_stores(self):
        (self.folder / "r.csv").write_text("layer,index,bit\nconv1,0,3\n")
        for damage in ("UPDATE fault SET target = 99", "UPDATE fault SET idx = -1", "UPDATE fault SET bit = 64",
                       "UPDATE fault SET target = NULL", "UPDATE target SET elements = 7", "UPDATE target SET bits = '0,99'",
                       "UPDATE meta SET value = 9 WHERE key = 'strata'"):
            self.good("inject", CLASSIFIER, *SAMPLES, "--first", 8, "--layers", "conv1", "--select", "random:20", "--store", "d.db")
            with sqlite3.connect(self.folder / "d.db") as store:
                store.execute(damage)
            store.close()
            for verb in (["export"], ["export", "--by", "layer"], ["report", "--format", "md"], ["evaluate", "--ranking", "r.csv"]):
                self.bad(verb[0], "d.db", *verb[1:], says=["d.db", "damaged"])
            (self.folder / "d.db").unlink()

    def test_full_standard_output(self):
        with open("/dev/full", "w") as full:
            self.bad("info", CLASSIFIER, says=["[output]"], stdout=full)
            self.bad("info", CLASSIFIER, "--json", says=["[output]"], stdout=full)


class Lists(Case):
    """Options that take several words, before the argument and behind it."""

    SPACE = ["--layers", "conv1", "--first", "16"]

    def setUp(self):
        super().setUp()
        self.inject("run.db", *self.SPACE)
        for metric in ("msb", "random"):
            self.good("rank", CLASSIFIER, "--layers", "conv1", "--metric", metric, "--out", f"{metric}.csv", "--quiet")

    def test_the_argument_may_follow_a_list(self):
        self.good("inject", "--layers", "conv1", CLASSIFIER, *SAMPLES, "--first", 16, "--store", "run.db", "--quiet")
        self.good("slice", "--heuristic", "l1", CLASSIFIER, *SAMPLES, *self.SPACE, "--quiet")
        self.good("evaluate", "--ranking", "msb.csv", "run.db", "--quiet")
        self.good("evaluate", "--against", "binfi", "run.db", "--quiet")
        self.good("protect", "--budget", "bits:3%", "run.db", "--quiet")
        self.good("protect", "--budget=bits:3%", "run.db", "--quiet")
        self.good("protect", "--ranking", "msb.csv", CLASSIFIER, *SAMPLES, "--layers", "conv1", "--budget", "7", "--quiet")
        self.good("report", "--out", "r.html", "--ranking", "msb.csv", "run.db", "--quiet")
        self.inject("other.db", *self.SPACE)
        self.assertEqual(len(json.loads(self.good("report", "--json", "--ranking", "msb.csv", "run.db", "other.db"))
                             ["campaigns"]), 2)

    def test_a_list_may_have_several_words(self):
        alike = [self.good("evaluate", *words, "--json") for words in (
            ["run.db", "--ranking", "msb.csv", "random.csv"], ["run.db", "--ranking", "msb.csv,random.csv"],
            ["--ranking", "msb.csv", "random.csv", "--seed", "0", "run.db"], ["--ranking", "msb.csv", "random.csv", "run.db"],
            ["--ranking", "msb.csv", "--ranking", "random.csv", "run.db"], ["--ranking", "msb.csv,random.csv", "run.db"])]
        self.assertEqual(len(json.loads(alike[0])["rankings"]), 3)
        self.assertEqual(set(alike), {alike[0]})
        self.good("slice", CLASSIFIER, *SAMPLES, *self.SPACE, "--heuristic", "l1", "l2", "--quiet")
        self.bad("evaluate", "--ranking", "msb.csv", "random.csv", "--against", "binfi", "run.db", says=["STORE", "first"])
        self.bad("evaluate", "--ranking", "msb.csv", says=["needs STORE"])


class Seeds(Case):
    def test_always_printed(self):
        space = ["--layers", "conv1", "--first", "16"]
        self.inject("run.db", *space)
        stores = {"compare": ["run.db"], "export": ["run.db", "--by", "layer", "--out", "x.csv"],
                  "protect": ["run.db", "--budget", "3"], "report": ["run.db", "--out", "r.html"],
                  "evaluate": ["run.db"], "sample-size": [CLASSIFIER],
                  "bench": [CLASSIFIER, *SAMPLES, *space, "--seconds", "0.01"],
                  "rank": [CLASSIFIER, *SAMPLES, *space, "--metric", "vulnerability", "--out", "r.csv"],
                  "vulnerability": [CLASSIFIER, *SAMPLES, *space, "--exact"]}
        for verb, words in stores.items():
            self.assertRegex(self.good(verb, *words), r"(?i)seed 0\b", verb)
            self.assertEqual(json.loads(self.good(verb, *words, "--json"))["seed"], 0, verb)
        self.assertEqual(json.loads(self.good("export", "run.db", "--by", "bit", "--json"))["seed"], 0)
        self.assertEqual(json.loads(self.good("report", "run.db", "--json", "--seed", 5))["seed"], 5)


class Info(Case):
    def test_counts(self):
        info = json.loads(self.good("info", CLASSIFIER, "--json"))
        self.assertEqual(info["parts"]["weights"]["elements"], 1476)
        self.assertEqual(info["parts"]["weights"]["bits"], 8856)
        self.assertEqual(info["fault_space"]["faults"], 8856)
        weighted = [layer for layer in info["layers"] if "exact" in layer]
        self.assertEqual([layer["layer"] for layer in weighted], ["conv1", "conv2", "dense"])
        self.assertTrue(all(layer["exact"] for layer in weighted))
        text = self.good("info", CLASSIFIER)
        for word in ("conv1", "conv2", "dense", "8,856", "exact in float32"):
            self.assertIn(word, text)

    def test_restricted_space(self):
        info = json.loads(self.good("info", CLASSIFIER, "--json", "--layers", "conv*", "--bits", "msb:1"))
        self.assertEqual(info["fault_space"]["faults"], 8 * 9 + 12 * 8 * 9)
        self.bad("info", CLASSIFIER, "--layers", "cnov*", says=["cnov*", "conv1", "dense"])
        self.bad("info", CLASSIFIER, "--bits", "6-7", says=["bit"])
        self.bad("info", CLASSIFIER, "--bits", "5-2", says=["5-2"])
        self.bad("info", CLASSIFIER, "--bits", "x", says=["x"])

    def test_broken_models(self):
        self.bad("info", "absent.onnx", says=["absent.onnx"])
        self.bad("info", str(self.folder), says=[str(self.folder)])
        whole = pathlib.Path(CLASSIFIER).read_bytes()
        layers = json.loads(self.good("info", CLASSIFIER, "--json"))["layers"]
        chance = random.Random(1)
        for size in [0, 1, 100, len(whole) - 1] + [chance.randrange(len(whole)) for _ in range(20)]:
            path = self.folder / "cut.onnx"
            path.write_bytes(whole[:size])
            with self.subTest(size=size):
                done = self.call("info", "cut.onnx", "--json")
                if done.returncode == 0:  # A cut between the graph and what follows it leaves a whole graph.
                    self.assertEqual(json.loads(done.stdout)["layers"], layers)
                else:
                    self.bad("info", "cut.onnx", says=["cut.onnx"])

    def test_a_network_has_one_input_and_one_output(self):
        whole = pathlib.Path(CLASSIFIER).read_bytes()

        def field(number, content):
            return bytes([number << 3 | 2, len(content)]) + content

        one_element = field(1, b"\x08\x01" + field(2, field(1, b"\x08\x01")))
        for kind, number, name in [("input", 11, "extra"), ("output", 12, "input")]:
            # Messages that follow each other are one message.
            end = field(1, name.encode()) + field(2, one_element)
            (self.folder / "two.onnx").write_bytes(whole + field(7, field(number, end)))
            says = ["two.onnx", f"2 {kind}s", name]
            self.bad("info", "two.onnx", says=says)
            self.bad("run", "two.onnx", *SAMPLES, says=says)
            self.bad("inject", "two.onnx", *SAMPLES, "--store", "two.db", says=says)


class Run(Case):
    def test_golden_run(self):
        result = json.loads(self.good("run", CLASSIFIER, *SAMPLES, "--expect", LOGITS, "--verify", 10, "--json"))
        self.assertEqual(result["samples"], 1000)
        self.assertEqual(result["correct"], 970)
        self.assertEqual(result["score"], {"name": "mispredict", "value": 30.0})
        self.assertEqual(result["expect"]["largest_difference"], 0)
        self.assertEqual(result["differing_from_reference"], [])
        self.assertIn("accuracy: 97.0% (970 of 1,000)", self.good("run", CLASSIFIER, *SAMPLES))

    def test_outputs_come_back_as_expected(self):
        for threads in (1, 2, 3):
            self.good("run", CLASSIFIER, *SAMPLES, "--outputs", f"{threads}.npy", "--threads", threads)
        first = (self.folder / "1.npy").read_bytes()
        self.assertEqual(first, (self.folder / "2.npy").read_bytes())
        self.assertEqual(first, (self.folder / "3.npy").read_bytes())
        self.good("run", CLASSIFIER, *SAMPLES, "--expect", "1.npy")
        self.good("run", CLASSIFIER, *SAMPLES, "--skip", 100, "--first", 50, "--expect", "1.npy")
        self.assertIn("NOT as", self.good("run", CLASSIFIER, "--inputs", INPUTS, "--scale", "1/255", "--expect", "1.npy", code=1))
        self.good("run", CLASSIFIER, "--inputs", INPUTS, "--scale", "1/255", "--expect", "1.npy", "--tolerance", 100)

    def test_autoencoder(self):
        result = json.loads(self.good("run", AUTOENCODER, *EMD, "--json", "--expect",
                                      EXAMPLES / "autoencoder_outputs.npy", "--tolerance", "1e-6"))
        self.assertAlmostEqual(result["score"]["value"], 0.423, places=3)

    def test_bad_samples(self):
        npy(self.path("small.npy"), (2, 1, 5, 5), "f", [0.0] * 50)
        self.bad("run", CLASSIFIER, "--inputs", "small.npy", says=["small.npy", "12"])
        npy(self.path("label.npy"), (1000,), "B", [5] * 1000)
        self.bad("run", CLASSIFIER, "--inputs", INPUTS, "--labels", "label.npy", says=["label"])
        npy(self.path("few.npy"), (999,), "B", [0] * 999)
        self.bad("run", CLASSIFIER, "--inputs", INPUTS, "--labels", "few.npy", says=["few.npy"])
        self.bad("run", CLASSIFIER, *SAMPLES, "--first", 0, says=["first"])
        self.bad("run", CLASSIFIER, *SAMPLES, "--skip", 1000, says=["skip"])
        self.bad("run", CLASSIFIER, "--inputs", INPUTS, "--scale", "1/0", says=["1/0"])
        self.bad("run", CLASSIFIER, *SAMPLES, "--scale", "1", says=["--scale", "more than once"])
        self.bad("run", CLASSIFIER, "--inputs", INPUTS, "--scale", "abc", says=["--scale", "abc"])
        npy(self.path("nine.npy"), (1000,), "B", [9] * 1000)
        self.bad("run", CLASSIFIER, "--inputs", INPUTS, "--labels", "nine.npy", says=["nine.npy", "label 0 is 9"])
        self.bad("run", CLASSIFIER, *SAMPLES, "--std", "0", says=["std"])
        self.bad("run", CLASSIFIER, *SAMPLES, "--score", "best", says=["best", "mispredict"])
        self.bad("run", AUTOENCODER, *EMD[:-2], says=["--emd-cost"])
        self.bad("run", CLASSIFIER, *SAMPLES, "--expect", INPUTS, says=["classifier_inputs.npy"])
        self.bad("run", CLASSIFIER, *SAMPLES, "--verify", 1001, says=["--verify"])
        (self.folder / "cut.npy").write_bytes(pathlib.Path(INPUTS).read_bytes()[:-1])
        self.bad("run", CLASSIFIER, "--inputs", "cut.npy", says=["cut.npy"])

    def test_samples_that_are_no_numbers(self):
        values = [0.5] * (3 * 36)
        values[40] = float("nan")
        npy(self.path("nan.npy"), (3, 1, 6, 6), "f", values)
        self.bad("run", AUTOENCODER, "--inputs", "nan.npy", says=["nan.npy", "sample 1", "nan"])

    def test_unwritable_outputs(self):
        self.bad("run", CLASSIFIER, *SAMPLES, "--outputs", "absent/o.npy", says=["absent/o.npy"])
        self.bad("run", CLASSIFIER, *SAMPLES, "--outputs", self.fifo(), says=["fifo", "regular"])
        self.bad("run", CLASSIFIER, *SAMPLES, "--outputs", "o.npy", says=["o.npy"], disk=4096)

    def test_compressed_samples(self):
        (self.folder / "inputs.npy.gz").write_bytes(gzip.compress(pathlib.Path(INPUTS).read_bytes()))
        self.good("run", CLASSIFIER, "--inputs", "inputs.npy.gz", "--scale", "1/256", "--expect", LOGITS)


class Bench(Case):
    def test_the_three_methods_agree(self):
        out = json.loads(self.good("bench", CLASSIFIER, *SAMPLES, "--first", "70", "--seconds", "0.05",
                                 "--in", "weights,biases,activations,inputs", "--json", "--quiet"))
        self.assertEqual([layer["differing"] for layer in out["layers"]], [0] * len(out["layers"]))
        self.assertTrue(all(layer["compared"] >= 64 for layer in out["layers"]))
        self.assertGreater(out["float32_operations_per_second"], 1e9)
        self.assertEqual(self.good("bench", CLASSIFIER, *SAMPLES, "--first", "70", "--seconds", "0.01", "--quiet"), "")

    def test_mistakes(self):
        self.bad("bench", CLASSIFIER, says=["--inputs"])
        self.bad("bench", CLASSIFIER, *SAMPLES, "--seconds", "0", says=["--seconds"])
        self.bad("bench", "none.onnx", *SAMPLES, says=["none.onnx"])
        self.bad("rank", CLASSIFIER, *SAMPLES, "--top", "0", says=["--top"])


class Demo(Case):
    def test_demo(self):
        text = self.good("demo", "--out", "tour")
        self.assertTrue(text.rstrip().endswith(str(self.folder / "tour" / "report.html")), text[-300:])
        self.assertTrue((self.folder / "tour" / "report.html").read_text().startswith("<!doctype html>"))
        self.assertIn("seed 0", text.splitlines()[-1])
        self.bad("demo", "--out", self.fifo(), says=["fifo"])

    def test_an_interrupted_demo_goes_on(self):
        store = self.folder / "tour" / "classifier.db"
        self.stopped("demo", "--out", "tour", "--quiet", begun=store.exists)
        self.assertTrue(store.exists())
        held = store.stat().st_ino
        self.good("demo", "--out", "tour", "--quiet")
        self.assertEqual(store.stat().st_ino, held)
        self.assertFalse((self.folder / "tour" / "unfinished").exists())


if __name__ == "__main__":
    cases.main(__doc__)
