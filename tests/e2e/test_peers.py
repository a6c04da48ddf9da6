#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kernels/peers where nothing of it is installed: what is absent, and what stands in for it, Triton by a module
of a few lines and the driver by a library that says what it is asked."""

import ctypes
import json
import os
import re
import sys

import lib
from lib import eq, has

PEERS = os.path.join(lib.TOP, "kernels", "peers")
NAMES = ["flash", "efficient", "cudnn", "math", "triton", "flash-attn", "xformers", "cutlass"]
TRITON = {
    "triton/__init__.py": """
import types
__version__ = "3.6.0"
def jit(function):
    function.arg_names = function.__code__.co_varnames[:function.__code__.co_argcount]
    return function
def compile(source, target, options):
    assert list(source["signature"]) == list(source["fn"].arg_names) and target == ("cuda", 90, 32)
    ptx = ".visible .entry attention(%s)" % ", ".join(".param .u64 attention_param_%d" % i for i in range(13))
    bytes_used = source["constexprs"]["DIM"] * 700 * options["num_stages"]
    return types.SimpleNamespace(asm={"ptx": ptx, "cubin": b"\\x7fELF code"}, metadata=types.SimpleNamespace(
        shared=bytes_used, num_warps=options["num_warps"], name="attention", global_scratch_size=SCRATCH))
""",
    "triton/language.py": "constexpr = int\n",
    "triton/backends/__init__.py": "",
    "triton/backends/compiler.py": "def GPUTarget(*words): return words\n",
    "triton/compiler.py": "def ASTSource(**words): return words\n"}
DRIVER = """
#include <stdio.h>
#define SAYS __attribute__((visibility("default"))) int
SAYS cuModuleLoadData(void **module, const char *image) { *module = (void *)1; return image[0] != 0x7f; }
SAYS cuModuleGetFunction(void **function, void *module, const char *name)
{ *function = (void *)2; (void)module; printf("%s\\n", name); return 0; }
SAYS cuFuncSetAttribute(void *function, int attribute, int value)
{ (void)function; printf("attribute %d is %d\\n", attribute, value); return 0; }
SAYS cuThreadExchangeStreamCaptureMode(int *mode) { int was = *mode; *mode = 1; printf("mode %d\\n", was); return 0; }
SAYS cuLaunchKernel(void *function, unsigned x, unsigned y, unsigned z, unsigned bx, unsigned by, unsigned bz,
                    unsigned shared, void *stream, void **parameters, void **extra)
{
    (void)function; (void)extra;
    printf("launch %u %u %u of %u %u %u, %u bytes, stream %p\\n", x, y, z, bx, by, bz, shared, stream);
    for (int i = 0; i < 5; i++)
        printf("%p ", *(void **)parameters[i]);
    printf("%.4f ", *(float *)parameters[5]);
    for (int i = 6; i < 11; i++)
        printf("%d ", *(int *)parameters[i]);
    printf("%p %p\\n", *(void **)parameters[11], *(void **)parameters[12]);
    return 0;
}
"""


class Problem(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int32) for name in
                "batch heads heads_kv seq_q seq_k head_dim dtype causal".split()] + [("scale", ctypes.c_float),
                                                                                    ("reserved", ctypes.c_int32 * 3)]


class Kernel(ctypes.Structure):
    _fields_ = [("abi", ctypes.c_uint32), ("device", ctypes.c_uint32), ("name", ctypes.c_char_p),
                ("supports", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Problem))),
                ("workspace_bytes", ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.POINTER(Problem))),
                ("forward", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Problem), *[ctypes.c_void_p] * 7))]


def modules(files):
    """A folder for PYTHONPATH"""
    folder = lib.temp_dir()
    for name, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        lib.write(os.path.join(folder, name), text)
    return folder


def build(*names, **env):
    folder = lib.temp_dir()
    run = lib.run([sys.executable, "-B", os.path.join(PEERS, "build.py"), folder, *names], env=lib.clean_env(env))
    eq((run.code, run.out), (0, "--arms %s/peers.conf\n" % folder), "peers are looked for")
    return folder, run.err, lib.read(folder + "/peers.conf")


def absent():
    """Peers that are not here are said, each in one line with its reason"""
    broken = "raise ImportError('libcudart.so.13: no \"such\" file\\\\')\n"
    path = modules({"torch/__init__.py": broken, "xformers/__init__.py": "",
                    "tree/include/cutlass/version.h": "#define CUTLASS_MAJOR 4\n#define CUTLASS_MINOR 2\n#define CUTLASS_PATCH 1\n"})
    _, said, conf = build(PYTHONPATH=path, CUTLASS_DIR=path + "/tree")
    lines = [line for line in said.splitlines() if " is absent: " in line]
    eq([line.split(" is absent")[0] for line in lines], ["build.py: " + name for name in NAMES], "each is said")
    eq(re.findall(r'arm "(.*)"\]\n    absent = ".', conf), NAMES, "in the file, too")
    has(said, "flash is absent: PyTorch does not load: ImportError: libcudart.so.13: no \"such\" file", "with its reason")
    has(said, "xformers is absent: xformers of no known version is installed, but kernels/peers has no adapter", "or its version")
    has(said, "cutlass is absent: CUTLASS 4.2.1 is in CUTLASS_DIR, but", "or that of a tree")
    has(said, "triton is absent: not installed: No module named 'triton'", "and by its name")
    has(build("cutlass", CUTLASS_DIR="/none")[1], "cutlass is absent: not installed: [Errno 2] No such file", "a tree that is none")
    has(build("cutlass")[1], "CUTLASS_DIR names no source tree", "no tree")


def hangs():
    """An import that does not end is a reason, too; so is one that ends the process; the others go on"""
    tools = modules({"nvidia-smi": "#!/bin/sh\necho 9.0\n"})
    os.chmod(tools + "/nvidia-smi", 0o755)
    _, said, _ = build("flash", "triton", PYTHONPATH=modules({
        "torch/__init__.py": "import signal\nsignal.pause()\n", "triton/__init__.py": "import os\nos._exit(3)\n"}),
                       PATH=tools + ":" + os.environ["PATH"], PEERS_SECONDS="3")
    has(said, "flash is absent: PyTorch does not load: not done within 3 s", "one that hangs")
    has(said, re.compile("triton is absent: Triton: (no reason was given|not done)"), "one that ends its process")


def triton(scratch="0"):
    """What stands in for Triton's compiler gives a library"""
    tools = modules({"nvidia-smi": "#!/bin/sh\necho 9.0\n"})
    os.chmod(tools + "/nvidia-smi", 0o755)
    return build("triton", "xformers", PATH=tools + ":" + os.environ["PATH"], PYTHONPATH=modules(
        {name: text.replace("SCRATCH", scratch) for name, text in TRITON.items()}))


def of_triton():
    """The tile shapes that fit are taken, and are its version; it keeps to our ABI"""
    folder, said, conf = triton()
    has(conf, 'version = "Triton 3.6.0, sm_90: D64 128x128, 8 warps, 3 stages, D128 128x128, 8 warps, 2 stages"', "its version")
    has(said, "xformers is absent", "the others go on")
    exported = lib.run(["nm", "-D", "--defined-only", folder + "/peer-triton.so"]).out.split()
    eq(exported[1:], ["T", "attention_kernel"], "exports one function")
    _, said, _ = triton(scratch="64")
    has(said, "triton is absent: Triton: RuntimeError: Triton wants a scratch buffer: global_scratch_size is 64", "what we can't pass")
    launches(folder)


def launches(folder):
    source = os.path.join(folder, "driver.c")
    lib.write(source, DRIVER)
    eq(lib.run(["cc", "-shared", "-fPIC", "-o", folder + "/libcuda.so.1", source]).code, 0, "a driver")
    run = lib.run([sys.executable, "-B", os.path.abspath(__file__), "launch", folder + "/peer-triton.so"],
                  env=lib.clean_env({"LD_LIBRARY_PATH": folder}))
    eq(run.code, 0, run.err)
    told, lines = json.loads(run.out.splitlines()[-1]), run.out.splitlines()[:-1]
    eq(told, {"table": [1, 1, "triton"], "supports": [1, 1, 0, 0, 0, 0], "forward": [0, 0, 1]}, "what it can do")
    eq(lines, ["mode 2", "attention", "attribute 8 is 134400", "mode 1",
               "launch 18 1 1 of 256 1 1, 134400 bytes, stream 0x9",
               "0x1 0x2 0x3 0x4 0x5 0.1803 6 2 300 200 1 (nil) (nil)",
               "launch 18 1 1 of 256 1 1, 134400 bytes, stream 0x9",
               "0x1 0x2 0x3 0x4 (nil) 0.1803 6 2 300 200 0 (nil) (nil)"], "loaded once, launched twice")


def launch(path):
    """In a process of its own, whose driver is ours"""
    library = ctypes.CDLL(path)
    library.attention_kernel.restype = ctypes.POINTER(Kernel)
    kernel = library.attention_kernel().contents
    good = (1, 6, 2, 300, 200, 64, 0, 1, 0.0)
    problems = [good, (1, 6, 2, 300, 200, 128, 1, 0, 2.5), (1, 6, 2, 300, 200, 96, 0, 1, 0.0), (1, 6, 2, 300, 200, 64, 2, 1, 0.0),
                (1, 6, 2, 300, 200, 64, 0, 1, -1.0), (65536, 65536, 1, 300, 200, 64, 0, 1, 0.0)]
    buffers = [ctypes.c_void_p(i) for i in range(1, 5)]
    supports = [kernel.supports(ctypes.byref(Problem(*one))) for one in problems]
    forward = [kernel.forward(ctypes.byref(Problem(*one)), *buffers, lse, None, ctypes.c_void_p(9))
               for one, lse in ((good, ctypes.c_void_p(5)), (good, None), (problems[2], None))]
    ctypes.CDLL(None).fflush(None)
    print(json.dumps({"table": [kernel.abi, kernel.device, kernel.name.decode()], "supports": supports, "forward": forward}))


if sys.argv[1:2] == ["launch"]:
    launch(sys.argv[2])
else:
    lib.main(absent, hangs, of_triton)
