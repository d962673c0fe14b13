"""What tests of the command line share: the built program, the examples, and a case in a folder of its own."""

import os
import pathlib
import resource
import signal
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

    def stopped(self, *words, begun, how=signal.SIGINT):
        """What a call says on standard error that gets a signal as soon as `begun()`."""
        process = subprocess.Popen([PROGRAM, *map(str, words)], cwd=self.folder, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        while not begun() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(how)
        _, errors = process.communicate(timeout=300)
        if process.returncode == 0:
            self.skipTest("the work was done before the signal came")
        self.assertEqual(process.returncode, 3, errors)
        self.assertRegex(errors, r"\Aflipscope: \[[a-z0-9-]+\] interrupted; [^\n]+\n\Z")
        return errors

    def csv(self, store, *words):
        return self.good("export", store, *words)

    def inject(self, store, *words, code=0):
        return self.good("inject", CLASSIFIER, *SAMPLES, "--store", store, "--quiet", *words, code=code)


def main(usage):
    """Runs the tests of the calling file on the program that its first argument names."""
    global PROGRAM
    if len(sys.argv) < 2:
        sys.exit(usage)
    PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
