#!/usr/bin/env python3
"""Tests of rank, trace and evaluate: rank_test.py PROGRAM [unittest options]."""

import json
import random
import signal
import time

import cases
from cases import AUTOENCODER, Case, CLASSIFIER, EXAMPLES, SAMPLES


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
        self.bad("rank", CLASSIFIER, says=["--metric hessian", "--inputs"])
        for metric in ("gradient", "vulnerability", "slice:l1"):
            self.bad("rank", CLASSIFIER, "--metric", metric, says=[f"--metric {metric} needs --inputs"])
        self.bad(*rank, "--metric", "hesian", says=["hesian", "hessian", "vulnerability", "slice:HEURISTIC"])
        self.bad(*rank, "--variant", "both", says=["both", "code"])
        self.bad(*rank, "--loss", "hinge", says=["hinge", "cross-entropy"])
        self.bad(*rank, "--loss", "groups:none.csv", says=["none.csv"])
        self.bad(*rank, "--in", "activations", says=["activations", "weights"])
        self.bad(*rank, "--probes", "0", says=["--probes"])
        for metric in ("msb", "hessian", "trace", "vulnerability", "slice:l1"):
            self.bad(*rank, "--metric", metric, "--out", "no/such/r.csv", says=["no/such/r.csv "])
        self.bad("slice", CLASSIFIER, *SAMPLES, "--out", "no/such/s.csv", says=["no/such/s.csv "])

    def test_places_need_no_samples(self):
        for metric in ("msb", "random"):
            text = self.good("rank", CLASSIFIER, "--metric", metric, "--seed", 3)
            self.assertEqual(text, self.good("rank", CLASSIFIER, *SAMPLES, "--metric", metric, "--seed", 3))
            said = self.good("rank", CLASSIFIER, "--metric", metric, "--out", "r.csv")
            self.assertNotIn("cross-entropy", said)
            self.assertIn("seed 0", said)
        self.assertNotIn("loss", json.loads(self.good("rank", CLASSIFIER, "--metric", "msb", "--json")))

    def test_rows_as_json(self):
        for metric in ("msb", "flip", "vulnerability", "slice:l1"):
            found = json.loads(self.good("rank", CLASSIFIER, *self.FEW, "--metric", metric, "--json"))
            rows = [(row["layer"], row["tensor"], row["index"], row["bit"], row["score"]) for row in found["ranking"]]
            self.assertEqual(rows, self.ranking("--metric", metric), metric)
            self.assertEqual([row["rank"] for row in found["ranking"]], list(range(found["bits"])))

    def test_signals_end_it_and_rankings_go_on(self):
        at = time.monotonic() + 1
        errors = self.stopped("trace", CLASSIFIER, *SAMPLES, "--top", 100, "--probes", 10000, "--quiet",
                              begun=lambda: time.monotonic() > at, how=signal.SIGTERM)
        self.assertIn("nothing is kept", errors)
        self.assertEqual(self.files(), [])
        for samples, *metric in ([self.FEW, "trace", "--bits", "msb:2", "--probes", 8], [SAMPLES, "hessian", "--top", 30],
                                 [SAMPLES, "flip"]):
            words = ["rank", CLASSIFIER, *samples, "--metric", *metric, "--out"]
            self.good(*words, "whole.csv")
            log = self.folder / "r.csv.partial"
            errors = self.stopped(*words, "r.csv", begun=lambda log=log: log.exists() and log.stat().st_size > 200)
            self.assertIn("flipscope rank", errors)
            self.assertEqual(self.files(), ["r.csv.partial", "whole.csv"])
            self.bad(*words, "r.csv", "--seed", 1, says=["r.csv.partial"])
            self.good(*words, "r.csv")
            self.assertEqual((self.folder / "r.csv").read_bytes(), (self.folder / "whole.csv").read_bytes())
            self.assertEqual(self.files(), ["r.csv", "whole.csv"])
            (self.folder / "r.csv").unlink()


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
        self.bad("evaluate", "part.db", "--against", "binfi", says=["10 faults", "432", "exhaustive"])
        self.bad("evaluate", "run.db", "--ranking", "none.csv", says=["none.csv"])
        self.bad("evaluate", "run.db", "--sensitive", "maybe", says=["maybe", "different"])
        for out in ("--out", "--out-top"):
            self.bad("evaluate", "run.db", out, "no/such/c.csv", says=["no/such/c.csv "])
        (self.folder / "long.csv").write_text("no list " * 1000)
        self.assertLess(len(self.bad("evaluate", "run.db", "--ranking", "long.csv", says=["long.csv"])), 300)
        (self.folder / "twice.csv").write_text("layer,tensor,index,bit\n" + "conv1,conv1.weight,0,0\n" * 2)
        self.bad("evaluate", "run.db", "--ranking", "twice.csv", says=["twice.csv:3", "twice"])


if __name__ == "__main__":
    cases.main(__doc__)
