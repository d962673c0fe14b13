"""Files that stand for arrays and models in memory, for as long as the process lives.

A file is named after a digest of its bytes: the same array is written once, and campaigns on it have the
identity of those bytes.
"""

# Here and elsewhere modules that few calls need are imported by these calls: importing flipscope is quick.

from __future__ import annotations

import atexit
import functools
import os


@functools.lru_cache(maxsize=None)
def folder() -> str:
    import shutil
    import tempfile

    path = tempfile.mkdtemp(prefix="flipscope-")
    owner = os.getpid()
    atexit.register(lambda: os.getpid() == owner and shutil.rmtree(path, ignore_errors=True))
    return path


def new_path(name: str) -> str:
    """A path in a folder of its own, for a file that does not exist yet."""
    import tempfile

    return os.path.join(tempfile.mkdtemp(dir=folder()), name)


def bytes_file(data: bytes, suffix: str) -> str:
    import hashlib

    path = os.path.join(folder(), hashlib.blake2b(data, digest_size=16).hexdigest() + suffix)
    if not os.path.exists(path):
        with open(path + ".part", "wb") as file:
            file.write(data)
        os.replace(path + ".part", path)
    return path


def array_file(array) -> str:
    """The array (anything that numpy.asarray takes) as a .npy file."""
    import hashlib

    import numpy

    from flipscope._core import Error

    values = numpy.ascontiguousarray(array)
    if values.dtype.kind not in "buif":
        raise Error(f"[samples] an array of {values.dtype} is no array of numbers; give booleans, integers or floats")
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{values.dtype.str} {values.shape}".encode())
    digest.update(values.reshape(-1).view(numpy.uint8).data)
    path = os.path.join(folder(), digest.hexdigest() + ".npy")
    if not os.path.exists(path):
        with open(path + ".part", "wb") as file:
            numpy.save(file, values, allow_pickle=False)
        os.replace(path + ".part", path)
    return path
