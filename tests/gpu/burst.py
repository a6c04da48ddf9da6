# SPDX-License-Identifier: Apache-2.0
"""Somebody else on the GPU: matrix products in bursts, for some seconds. Needs PyTorch.
    burst.py SECONDS"""

import sys
import time

import torch

a = torch.randn(4096, 4096, device="cuda", dtype=torch.float16)
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    for _ in range(20):
        a @ a
    torch.cuda.synchronize()
    time.sleep(0.03)
