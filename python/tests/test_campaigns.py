"""Campaigns: what their stores hold, progress, interruption, scores of one's own, shards."""

import os
import pathlib
import signal
import threading
import unittest

import numpy as np

import flipscope
from case import CLASSIFIER, SCALE, Case, has


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


if __name__ == "__main__":
    unittest.main()
