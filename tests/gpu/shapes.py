# SPDX-License-Identifier: Apache-2.0
"""The text of a ci/ratchet.conf for shapes (batch, heads, length, dimension, causal), fp16."""

CONFIG = """\
[config "%s"]
    device = %s
    batch = %d
    heads = %d
    seq-q = %d
    head-dim = %d
    dtype = fp16
    causal = %s
"""


def name_of(shape):
    return "b%d_h%d_s%d_d%d%s" % (*shape[:4], "_causal" if shape[4] else "")


def configs(device, shapes):
    return "".join(CONFIG % (name_of(one), device, *one[:4], str(one[4]).lower()) for one in shapes)
