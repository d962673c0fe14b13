#!/usr/bin/env python3
"""Tests of the command line against the built program: cli_test.py PROGRAM [unittest options]."""

import contextlib
import gzip
import hashlib
import json
import os
import pathlib
import random
import resource
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = None
EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples"
CLASSIFIER = str(EXAMPLES / "classifier.onnx")
INPUTS = str(EXAMPLES / "classifier_inputs.npy")
LABELS = str(EXAMPLES / "classifier_labels.npy")
LOGITS = str(EXAMPLES / "classifier_logits.npy")
AUTOENCODER = str(EXAMPLES / "autoencoder.onnx")
CELLS = str(EXAMPLES / "cell_distance.csv")
SAMPLES = ["--inputs", INPUTS, "--scale", "1/256", "--labels", LABELS]
EMD = ["--inputs", str(EXAMPLES / "autoencoder_inputs.npy"), "--targets", "inputs", "--score", "emd",
       "--emd-cost", CELLS]
COLUMNS = ("fault,layer,tensor,index,bit,from_msb,golden,faulty,samples,masked,non_critical,critical,due,"
           "score,delta")


def npy(path, shape, type_code, values):
    """Writes an array file: type_code as in `struct`, f or B."""
    name = {"f": "<f4", "B": "|u1", "i": "<i4"}[type_code]
    header = f"{{'descr': '{name}', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))},), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    pathlib.Path(path).write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() +
                                   struct.pack(f"<{len(values)}{type_code}", *values))


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def path(self, name):
        return str(self.folder / name)

    def files(self):
        return sorted(path.name for path in self.folder.iterdir())

    def fifo(self):
        """Something that is no regular file and must not be replaced."""
        if not (self.folder / "fifo").exists():
            os.mkfifo(self.folder / "fifo")
        return "fifo"

    def call(self, *words, stdout=subprocess.PIPE, disk=None):
        """`disk`: bytes after which a file is full."""
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (disk, disk))
        return subprocess.run([PROGRAM, *map(str, words)], stdout=stdout, stderr=subprocess.PIPE, text=True,
                              timeout=600, cwd=self.folder, preexec_fn=limit if disk else None, restore_signals=not disk)

    def good(self, *words, code=0):
        done = self.call(*words)
        self.assertEqual(done.returncode, code, done.stderr + (done.stdout or ""))
        return done.stdout

    def bad(self, *words, says=(), **limits):
        """Exit code 2, and one line on standard error with every word of `says`; nothing left behind."""
        if "fifo" in words:
            self.fifo()
        before = self.files()
        done = self.call(*words, **limits)
        self.assertEqual(done.returncode, 2, f"{words}\n{done.stderr}")
        self.assertRegex(done.stderr, r"\Aflipscope: \[[a-z0-9-]+\] [^\n]+\n\Z")
        for word in says:
            self.assertIn(word, done.stderr)
        self.assertEqual(self.files(), before)
        return done.stderr

    def csv(self, store, *words):
        return self.good("export", store, *words)

    def inject(self, store, *words, code=0):
        return self.good("inject", CLASSIFIER, *SAMPLES, "--store", store, "--quiet", *words, code=code)


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
        config.write_text("bitz = 3\n")
        self.bad("info", CLASSIFIER, "--config", config, says=["bitz", "bits"])
        self.bad("info", CLASSIFIER, "--config", "absent.toml", says=["--config"])

    def test_full_standard_output(self):
        with open("/dev/full", "w") as full:
            self.bad("info", CLASSIFIER, says=["[output]"], stdout=full)
            self.bad("info", CLASSIFIER, "--json", says=["[output]"], stdout=full)


class Evaluate(Case):
    SPACE = ["--layers", "conv1", "--first", "64"]

    def setUp(self):
        super().setUp()
        self.inject("run.db", *self.SPACE)
        for metric in ("random", "flip"):
            self.good("rank", CLASSIFIER, *SAMPLES, *self.SPACE, "--metric", metric, "--out", f"{metric}.csv", "--quiet")

    def test_figures_are_those_of_the_export(self):
        delta = {}
        for line in self.csv("run.db").splitlines()[1:]:
            row = line.split(",")
            delta[tuple(row[2:5])] = float(row[14])
        order = [tuple(line.split(",")[2:5])
                 for line in (self.folder / "flip.csv").read_text().splitlines()[1:]]
        found = [abs(delta[bit]) for bit in order]
        result = json.loads(self.good("evaluate", "run.db", "--ranking", "random.csv,flip.csv", "--out", "curves.csv",
                                      "--json"))
        random, flip, best = result["rankings"]
        self.assertEqual(flip["bits"], 432)
        shares = [sum(found[:k + 1]) / sum(found) for k in range(432)]
        self.assertAlmostEqual(flip["area"], sum(shares) / 432)
        top = sorted(found, reverse=True)[4]  # of five bits in the first percentile
        last = max(k for k, change in enumerate(found) if change >= top)
        self.assertEqual(flip["top"][0], {"percent": 1, "bits": sum(c >= top for c in found), "flips": last + 1})
        self.assertEqual(sum(row["sensitive"] for row in result["by_layer"]), sum(d > 0 for d in delta.values()))
        self.assertEqual([row["of"] for row in result["by_position_from_msb"]], list(range(6)))
        self.assertGreater(flip["gain"][0], 0)
        self.assertGreater(flip["spearman"], random["spearman"])
        self.assertGreaterEqual(best["area"], flip["area"])
        curves = [line.split(",") for line in (self.folder / "curves.csv").read_text().splitlines()]
        self.assertEqual(curves[0], ["ranking", "flips", "found"])
        self.assertEqual(len(curves), 1 + 3 * 433)
        self.assertEqual([float(curve[2]) for curve in curves[434:867]], [0] + [
            float(share) for share in self.running_shares(found)])

    @staticmethod
    def running_shares(found):
        total, sums = 0, []
        for change in found:
            total += change
            sums.append(total)
        return [part / total for part in sums]

    def test_table_names_what_is_never_found(self):
        (self.folder / "few.csv").write_text("layer,tensor,index,bit\nconv1,conv1.weight,0,0\n")
        table = self.good("evaluate", "run.db", "--ranking", "few.csv", "--sensitive", "different")
        self.assertRegex(table, r"few.csv +1 .* never +never +never +never")
        self.assertIn("(best possible)", table)

    def test_mistakes(self):
        self.inject("part.db", *self.SPACE, "--select", "random:10")
        self.bad("evaluate", "none.db", says=["none.db"])
        self.bad("evaluate", "part.db", "--against", "binfi", says=["10 of the 432", "exhaustive"])
        self.bad("evaluate", "run.db", "--ranking", "none.csv", says=["none.csv"])
        self.bad("evaluate", "run.db", "--sensitive", "maybe", says=["maybe", "different"])
        (self.folder / "twice.csv").write_text("layer,tensor,index,bit\n" + "conv1,conv1.weight,0,0\n" * 2)
        self.bad("evaluate", "run.db", "--ranking", "twice.csv", says=["twice.csv:3", "twice"])


class Rank(Case):
    FEW = [*SAMPLES, "--first", "64", "--layers", "conv1", "--quiet"]

    def ranking(self, *words):
        text = self.good("rank", CLASSIFIER, *self.FEW, *words)
        header, *lines = text.splitlines()
        self.assertEqual(header, "rank,layer,tensor,index,bit,score")
        rows = [line.split(",") for line in lines]
        self.assertEqual([int(row[0]) for row in rows], list(range(len(rows))))
        return [(row[1], row[2], int(row[3]), int(row[4]), float(row[5])) for row in rows]

    def test_every_metric_ranks_every_bit_once(self):
        for metric in ("random", "msb", "gradient", "taylor", "hessian", "inflection", "flip"):
            rows = self.ranking("--metric", metric, "--top", "2", "--probes", "8")
            self.assertEqual(len({row[:4] for row in rows}), 72 * 6, metric)
            self.assertEqual(len(rows), 72 * 6, metric)
        for variant in ("exact", "paper", "code"):
            self.assertEqual(len(self.ranking("--variant", variant, "--top", "2")), 72 * 6)
        rows = self.ranking("--metric", "trace", "--bits", "msb:1", "--probes", "2")
        self.assertEqual(len(rows), 72)

    def test_words_go_by_significance_and_flips_by_score(self):
        by_word = self.ranking("--metric", "gradient")
        self.assertEqual([row[3] for row in by_word], [bit for bit in range(5, -1, -1) for _ in range(72)])
        top = [row[4] for row in by_word[:72]]
        self.assertEqual(top, sorted(top, reverse=True))
        self.assertEqual([row[2] for row in self.ranking("--metric", "msb")[:72]], list(range(72)))
        scores = [row[4] for row in self.ranking("--metric", "flip")]
        self.assertEqual(scores, sorted(scores, reverse=True))

    def test_same_ranking_for_any_number_of_threads(self):
        one = self.good("rank", CLASSIFIER, *self.FEW, "--metric", "flip", "--threads", "1")
        self.assertEqual(one, self.good("rank", CLASSIFIER, *self.FEW, "--metric", "flip", "--threads", "3"))

    def test_a_ranking_is_a_selection(self):
        result = json.loads(self.good("rank", CLASSIFIER, *self.FEW, "--metric", "flip", "--out", "r.csv",
                                      "--json"))
        self.assertEqual((result["bits"], result["against"]), (432, "labels"))
        self.inject("run.db", "--first", "64", "--layers", "conv1", "--select", "ranking:r.csv:5")
        rows = (self.folder / "r.csv").read_text().splitlines()[1:6]
        struck = [line.split(",")[1:5] for line in self.csv("run.db").splitlines()[1:]]
        self.assertEqual(struck, [row.split(",")[1:5] for row in rows])

    def test_autoencoders_take_targets_or_their_own_outputs(self):
        inputs = ["--inputs", str(EXAMPLES / "autoencoder_inputs.npy"), "--first", "32", "--layers", "encoder.conv"]
        for words, against in ((["--targets", "inputs"], "targets"), (["--loss", "mse"], "golden outputs"),
                               ([], "golden decisions")):
            result = json.loads(self.good("rank", AUTOENCODER, *inputs, *words, "--metric", "gradient", "--out",
                                          "r.csv", "--json"))
            self.assertEqual(result["against"], against)
        groups = "level,factor,group,weight,element\n" + "".join(f"0,1,{i // 6},1,{i}\n" for i in range(36))
        (self.folder / "groups.csv").write_text(groups)
        self.good("rank", AUTOENCODER, *inputs, "--targets", "inputs", "--loss", "groups:groups.csv")

    def test_trace_shows_layers_and_the_whole(self):
        words = ["trace", CLASSIFIER, *SAMPLES, "--first", "64", "--top", "2", "--probes", "100"]
        table = self.good(*words, "--layers", "conv1")
        self.assertRegex(table, r"conv1 +72 +\S+ +exact")
        result = json.loads(self.good(*words, "--json"))
        names = [layer["layer"] for layer in result["layers"]]
        self.assertEqual(names, ["conv1", "conv2", "dense", "(all)"])
        self.assertAlmostEqual(sum(layer["trace"] for layer in result["layers"][:3]), result["layers"][3]["trace"])
        for layer in result["layers"]:
            for value, residual in zip(layer["eigenvalues"], layer["residuals"], strict=True):
                self.assertLess(residual, 1e-6 * abs(value))

    def test_mistakes(self):
        rank = ["rank", CLASSIFIER, *SAMPLES]
        self.bad("rank", CLASSIFIER, says=["--inputs"])
        self.bad(*rank, "--metric", "hesian", says=["hesian", "hessian"])
        self.bad(*rank, "--variant", "both", says=["both", "code"])
        self.bad(*rank, "--loss", "hinge", says=["hinge", "cross-entropy"])
        self.bad(*rank, "--loss", "groups:none.csv", says=["none.csv"])
        self.bad(*rank, "--in", "activations", says=["activations", "weights"])
        self.bad(*rank, "--json", says=["--out"])
        self.bad(*rank, "--probes", "0", says=["--probes"])
        self.bad(*rank, "--metric", "msb", "--out", "no/such/r.csv", says=["no/such/r.csv"])


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


class Inject(Case):
    SMALL = ["--first", "200"]

    def test_exhaustive(self):
        text = self.good("inject", CLASSIFIER, *SAMPLES, *self.SMALL, "--store", "run.db", "--verify", 20)
        self.assertLessEqual(text.count("\n"), 20, text)
        self.assertIn("8,856 of 8,856 faults", text)
        rows = self.csv("run.db").splitlines()
        self.assertEqual(rows[0], COLUMNS)
        self.assertEqual(len(rows), 1 + 8856)
        for row in rows[1:]:
            cells = row.split(",")
            self.assertEqual(sum(map(int, cells[9:13])), int(cells[8]))
        for by in ("bit", "weight", "channel", "layer", "model"):
            self.assertGreater(len(self.csv("run.db", "--by", by).splitlines()), 1)
        rates = json.loads(self.good("export", "run.db", "--by", "model", "--json"))["rates"]
        self.assertEqual(rates[0]["faults"], 8856)
        self.good("export", "run.db", "--format", "fault-list", "--out", "list.csv")
        self.good("export", "run.db", "--format", "npz", "--out", "run.npz")

    def test_threads_and_shards_give_the_same_bytes(self):
        texts = []
        for threads in (1, 2, 3):
            self.inject(f"{threads}.db", *self.SMALL, "--threads", threads)
            texts.append(self.csv(f"{threads}.db"))
        self.assertEqual(texts[0], texts[1])
        self.assertEqual(texts[0], texts[2])
        for k in (3, 1, 2):
            self.inject(f"part{k}.db", *self.SMALL, "--shard", f"{k}/3")
        self.good("merge", "part1.db", "part2.db", "part3.db", "--out", "whole.db")
        self.assertEqual(self.csv("whole.db"), texts[0])
        self.inject("other.db", "--first", 100, "--bits", "0")
        self.bad("merge", "part1.db", "other.db", "--out", "mixed.db", says=["other.db"])

    def test_killed_ten_times(self):
        self.inject("whole.db")
        expected = self.csv("whole.db")
        chance = random.Random(3)
        command = [PROGRAM, "inject", CLASSIFIER, *SAMPLES, "--store", "killed.db", "--quiet"]
        kills = 0
        while kills < 10:
            process = subprocess.Popen(command, cwd=self.folder, stderr=subprocess.PIPE)
            time.sleep(chance.uniform(0.05, 0.4))
            kills += 1 if process.poll() is None else 0
            process.kill()
            process.communicate()
            if process.returncode == 0:
                break
        self.inject("killed.db")
        self.assertEqual(self.csv("killed.db"), expected)

    def test_interrupted(self):
        words = ["inject", AUTOENCODER, *EMD, "--layers", "encoder.*", "--store", "run.db"]
        process = subprocess.Popen([PROGRAM, *words], cwd=self.folder, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        while not (self.folder / "run.db").exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=300)
        if process.returncode == 0:
            self.skipTest("the campaign was done before the signal came")
        self.assertEqual(process.returncode, 3, errors)
        self.assertIn("flipscope inject", errors)
        self.assertIn("--store run.db", errors)

    def test_random_stuck_and_multi_bit_faults(self):
        self.inject("random.db", *self.SMALL, "--select", "random:500", "--seed", 7)
        self.assertEqual(len(self.csv("random.db").splitlines()), 501)
        self.inject("again.db", *self.SMALL, "--select", "random:500", "--seed", 7)
        self.assertEqual(self.csv("random.db"), self.csv("again.db"))
        self.inject("stuck.db", *self.SMALL, "--faults", "stuck-at-0", "--bits", "msb:1")
        self.inject("multi.db", *self.SMALL, "--faults", "multi:10", "--select", "random:50")
        self.assertEqual(len(self.csv("multi.db", "--sites").splitlines()), 1 + 50 * 10)
        self.inject("biases.db", *self.SMALL, "--in", "biases")

    def test_bar(self):
        self.inject("run.db", *self.SMALL, "--bits", "msb:1", "--fail-if", "sdc>0.000001", code=1)
        self.inject("run.db", *self.SMALL, "--bits", "msb:1", "--fail-if", "sdc>0.999999")
        self.bad("inject", CLASSIFIER, *SAMPLES, "--store", "run.db", "--fail-if", "luck>1", says=["luck", "sdc"])
        self.bad("inject", AUTOENCODER, *EMD, "--store", "emd.db", "--fail-if", "sdc>0.1",
                 says=["--critical", "--labels"])

    def test_list_and_protection(self):
        self.inject("run.db", *self.SMALL, "--layers", "dense", "--bits", "msb:1")
        self.good("export", "run.db", "--format", "fault-list", "--out", "list.csv")
        self.inject("list.db", *self.SMALL, "--select", "list:list.csv")
        numbers = lambda text: [row.split(",")[1:] for row in text.splitlines()]
        self.assertEqual([row[8:] for row in numbers(self.csv("list.db"))],
                         [row[8:] for row in numbers(self.csv("run.db"))])
        self.inject("protected.db", *self.SMALL, "--layers", "dense", "--bits", "msb:1", "--protect", "list.csv")
        for row in self.csv("protected.db").splitlines()[1:]:
            self.assertEqual(row.split(",")[9], "200")

    def test_bad_campaigns(self):
        words = ["inject", CLASSIFIER, *SAMPLES, *self.SMALL, "--store", "run.db"]
        self.bad(*words, "--faults", "meteor", says=["meteor", "bit-flip"])
        self.bad(*words, "--select", "best", says=["best", "exhaustive"])
        self.bad(*words, "--select", "random:99999", says=["99999"])
        self.bad(*words, "--select", "list:absent.csv", says=["absent.csv"])
        self.bad(*words, "--layers", "nothing*", says=["nothing*", "conv1"])
        self.bad(*words, "--bits", "31", says=["31"])
        self.bad(*words, "--shard", "4/3", says=["4/3"])
        self.bad(*words, "--memory", "lots", says=["lots"])
        self.bad(*words, "--arithmetic", "sloppy", says=["sloppy", "exact"])
        self.bad(*words, "--critical", "delta", says=["delta"])
        self.bad("inject", CLASSIFIER, *SAMPLES, "--store", "absent/run.db", says=["absent/run.db"])
        self.bad("inject", CLASSIFIER, *SAMPLES, "--store", self.fifo(), says=["fifo", "regular"])

    def test_foreign_stores(self):
        self.inject("run.db", *self.SMALL, "--bits", "0")
        kept = (self.folder / "run.db").read_bytes()
        self.bad("inject", CLASSIFIER, *SAMPLES, *self.SMALL, "--store", "run.db", "--bits", "1", says=["run.db", "bits"])
        self.bad("inject", CLASSIFIER, *SAMPLES, "--first", 100, "--store", "run.db", "--bits", "0", says=["run.db"])
        self.assertEqual((self.folder / "run.db").read_bytes(), kept)
        (self.folder / "text.db").write_text("not a database\n" * 1000)
        self.bad("inject", CLASSIFIER, *SAMPLES, "--store", "text.db", says=["text.db"])
        self.bad("export", "text.db", says=["text.db"])
        with contextlib.closing(sqlite3.connect(self.folder / "other.db")) as database:
            database.execute("CREATE TABLE mine(x)")
            database.commit()
        before = hashlib.sha256((self.folder / "other.db").read_bytes()).digest()
        self.bad("inject", CLASSIFIER, *SAMPLES, "--store", "other.db", says=["other.db"])
        self.assertEqual(hashlib.sha256((self.folder / "other.db").read_bytes()).digest(), before)
        self.bad("export", "absent.db", says=["absent.db"])
        self.assertFalse((self.folder / "absent.db").exists())

    def test_unwritable_exports(self):
        self.inject("run.db", *self.SMALL, "--bits", "0")
        self.bad("export", "run.db", "--out", "absent/o.csv", says=["absent/o.csv"])
        self.bad("export", "run.db", "--by", "layer", "--out", self.fifo(), says=["fifo", "regular"])
        self.bad("export", "run.db", "--out", "o.csv", says=["o.csv"], disk=40000)
        self.bad("export", "run.db", "--format", "npz", "--out", self.fifo(), says=["fifo", "regular"])
        with open("/dev/full", "w") as full:
            self.bad("export", "run.db", says=[], stdout=full)


class Bench(Case):
    def test_the_three_methods_agree(self):
        out = json.loads(self.good("bench", CLASSIFIER, *SAMPLES, "--first", "70", "--seconds", "0.05",
                                 "--in", "weights,biases,activations,inputs", "--json", "--quiet"))
        self.assertEqual([layer["differing"] for layer in out["layers"]], [0] * len(out["layers"]))
        self.assertTrue(all(layer["compared"] >= 64 for layer in out["layers"]))
        self.assertGreater(out["float32_operations_per_second"], 1e9)


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
        self.bad("demo", "--out", self.fifo(), says=["fifo"])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
