"""Tests of the package as a package: its types, its import, its command line, its threads, its copies."""

import ast
import importlib.util
import inspect
import io
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from unittest import mock

import numpy as np

import flipscope
from flipscope import _core, progress

CLASSIFIER = flipscope.example("classifier.onnx")
PACKAGE = pathlib.Path(flipscope.__file__).parent

USER = '''
import flipscope
import numpy as np

model: flipscope.Model = flipscope.Model("m.onnx")
highest: float = float(model(np.zeros((1, 4)), ("w", 0, 1), threads=2).max())
store: flipscope.Store = model.inject(np.zeros(3), "run.db", labels=[1, 2], progress=lambda done, total, seconds: None)
rates: flipscope.Table = store.rates("layer")
fault: flipscope.Fault = store.fault(3)[0]
plan: flipscope.Plan = flipscope.protect(store, budget="bits:3%")
words: str = fault.tensor + plan.path
ranking: str = model.rank(np.zeros(3), metric="msb").select(10)
# Mistakes; a comment that no mistake needs is one itself.
store.rates(3)  # type: ignore[arg-type]
model.inject(1)  # type: ignore[call-arg]
words = plan  # type: ignore[assignment]
'''


def python(*words, **settings):
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, **settings)


class Types(unittest.TestCase):
    def test_the_package_is_typed(self):
        self.assertTrue((PACKAGE / "py.typed").exists())
        self.assertTrue((PACKAGE / "_core.pyi").exists())

    def test_stubs_say_what_the_extension_has(self):
        def functions(of):
            return {f.name: [a.arg for a in f.args.args] for f in of.body if isinstance(f, ast.FunctionDef)}

        def arguments(function):
            signature = function.__doc__.splitlines()[0].split(" -> ")[0]
            return ["self"] * ("(self" in signature) + re.findall(r"(\w+): ", signature)

        stub = ast.parse((PACKAGE / "_core.pyi").read_text())
        classes = {c.name: c for c in stub.body if isinstance(c, ast.ClassDef)}
        known = {*functions(stub), *classes, "__version__"}
        self.assertEqual({n for n in dir(_core) if not n.startswith("_") or n == "__version__"}, known)
        for name, names in functions(stub).items():
            self.assertEqual(arguments(getattr(_core, name)), names, name)
        network = functions(classes["Network"])
        self.assertEqual({n for n in dir(_core.Network) if not n.startswith("_")}, set(network) - {"__init__"})
        for name in ("tensors", "values", "run"):
            self.assertEqual(arguments(getattr(_core.Network, name)), network[name], name)

    @unittest.skipUnless(importlib.util.find_spec("mypy"), "mypy is not installed")
    def test_a_users_program_is_checked(self):
        environment = {**os.environ, "MYPYPATH": str(PACKAGE.parent)}
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "user.py"
            file.write_text(USER)
            done = python("-m", "mypy", "--strict", "--cache-dir", folder, str(file), env=environment)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_everything_public_says_what_it_is(self):
        for name in flipscope.__all__:
            if name == "__version__":
                continue
            thing = getattr(flipscope, name)
            self.assertTrue(inspect.getdoc(thing), name)
            if inspect.isclass(thing) and thing.__module__.startswith("flipscope"):
                for method, function in vars(thing).items():
                    if not method.startswith("_") and callable(function):
                        self.assertTrue(inspect.getdoc(function), f"{name}.{method}")


class Import(unittest.TestCase):
    def test_import_brings_in_no_framework(self):
        code = "import sys, flipscope; print([m for m in ('numpy', 'torch', 'onnx', 'tensorflow') if m in sys.modules])"
        self.assertEqual(python("-c", code).stdout.strip(), "[]")

    def test_import_is_quick(self):
        code = ("import time; start = time.process_time(); import flipscope; print(time.process_time() - start)")
        seconds = statistics.median(float(python("-c", code).stdout) for _ in range(5))
        self.assertLess(seconds, 0.15)


class CommandLine(unittest.TestCase):
    def test_every_verb_is_there(self):
        listed = python("-m", "flipscope", "--help").stdout
        for verb in ("bench", "compare", "demo", "evaluate", "export", "info", "inject", "merge", "protect", "rank",
                     "report", "run", "sample-size", "slice", "trace", "vulnerability"):
            self.assertIn(f"  {verb} ", listed)
            self.assertEqual(python("-m", "flipscope", verb, "--help").returncode, 0)

    def test_exit_codes(self):
        inputs, labels = (flipscope.example(f"classifier_{what}.npy") for what in ("inputs", "labels"))
        samples = ["--inputs", inputs, "--labels", labels, "--scale", "1/256", "--first", "50", "--quiet"]
        with tempfile.TemporaryDirectory() as folder:
            words = ["-m", "flipscope", "inject", CLASSIFIER, *samples, "--layers", "conv1", "--store"]
            self.assertEqual(python(*words, folder + "/a.db").returncode, 0)
            self.assertEqual(python(*words, folder + "/b.db", "--fail-if", "sdc>0.0001").returncode, 1)
            bad = python("-m", "flipscope", "info", "none.onnx")
            self.assertEqual((bad.returncode, bad.stdout, len(bad.stderr.splitlines())), (2, "", 1))
            running = subprocess.Popen(
                [sys.executable, "-m", "flipscope", "inject", CLASSIFIER, "--inputs", inputs, "--scale", "1/256",
                 "--faults", "multi:400", "--select", "random:1000000", "--store", folder + "/c.db", "--quiet"],
                stderr=subprocess.DEVNULL)
            time.sleep(1.5)
            running.send_signal(2)
            self.assertEqual(running.wait(60), 3)

    def test_the_installed_entry_point(self):
        try:
            from importlib.metadata import entry_points

            points = entry_points(group="console_scripts")
        except TypeError:
            self.skipTest("this Python's importlib.metadata has no groups")
        found = [point for point in points if point.name == "flipscope"]
        if not found:
            self.skipTest("the package is imported from a build folder")
        self.assertEqual(found[0].value, "flipscope.__main__:main")


class Process(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.inputs = np.load(flipscope.example("classifier_inputs.npy"))

    def test_other_threads_go_on_meanwhile(self):
        ticks, stop = [], threading.Event()

        def tick():
            while not stop.wait(0.002):
                ticks.append(time.monotonic())

        thread = threading.Thread(target=tick)
        thread.start()
        start = time.monotonic()
        flipscope.inject(CLASSIFIER, self.inputs, self.folder + "/run.db", scale="1/256", layers="conv2", threads=1,
                         progress=False)
        end = time.monotonic()
        stop.set()
        thread.join()
        within = [t for t in ticks if start < t < end]
        self.assertGreater(len(within), 20)
        self.assertLess(max(np.diff(within)), max(0.5, (end - start) / 2))

    def test_outputs_are_not_copied(self):
        outputs = flipscope.Model(CLASSIFIER)(self.inputs[:10] / 256)
        self.assertFalse(outputs.flags.owndata)
        self.assertTrue(outputs.flags.writeable)
        self.assertIsNotNone(outputs.base)

    def test_a_scores_array_is_the_engines_own(self):
        bases = set()

        def score(outputs):
            bases.add(outputs.flags.owndata)
            with self.assertRaises(ValueError):
                outputs[0, 0] = 1
            return outputs.max()

        flipscope.inject(CLASSIFIER, self.inputs[:20], self.folder + "/run.db", scale="1/256", layers="conv1",
                         bits="5", score=score, progress=False)
        self.assertEqual(bases, {False})


class Progress(unittest.TestCase):
    def test_a_bar_where_someone_looks(self):
        with mock.patch.object(sys, "stderr", io.StringIO()) as said:
            said.isatty = lambda: True
            report, end = progress.bar_for(True)
            report(50, 200, 2.0)
            end()
        self.assertIn("50 of 200 faults, 2 s, 25/s", said.getvalue())
        self.assertTrue(said.getvalue().endswith(" " * 78 + "\r"))

    def test_a_bar_in_notebooks(self):
        with mock.patch.object(sys, "stderr", io.StringIO()), mock.patch.dict(sys.modules, {"ipykernel": progress}):
            self.assertIsNotNone(progress.bar_for(True)[0])

    def test_none_elsewhere(self):
        with mock.patch.object(sys, "stderr", io.StringIO()), mock.patch.dict(sys.modules):
            sys.modules.pop("ipykernel", None)
            self.assertIsNone(progress.bar_for(True)[0])
        self.assertIsNone(progress.bar_for(False)[0])


if __name__ == "__main__":
    unittest.main()
