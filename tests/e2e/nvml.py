# SPDX-License-Identifier: Apache-2.0
"""A driver's library for hosts without one, which plays back a record (tests/data/nvml)."""

import os
import subprocess

import lib

DATA = os.path.join(lib.HERE, "..", "data", "nvml")


class Fake:
    """A folder with a driver's library, and what it has been told about clocks."""

    def __init__(self, more=""):
        self.folder = lib.temp_dir()
        self.record = lib.write(os.path.join(self.folder, "record"),
                                more + lib.read(os.path.join(DATA, "h200.txt")))
        subprocess.run([*os.environ.get("CC", "cc").split(), "-std=gnu17", "-D_GNU_SOURCE", "-shared",
                        "-fPIC", "-o", os.path.join(self.folder, "libnvidia-ml.so.1"),
                        os.path.join(DATA, "fake_nvml.c"), "-lpthread"], check=True)
        self.env = {"LD_LIBRARY_PATH": self.folder}

    def told(self):
        path = self.record + ".log"
        return lib.read(path) if os.path.exists(path) else ""


def need_no_gpu():
    if os.path.exists("/dev/nvidiactl"):
        raise lib.Skip("this host has a driver of its own")
