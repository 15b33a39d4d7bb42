"""The private memory of a process that has imported torch and run one step of a net with two convolutions, in bytes.

python -m whole_study.bare_torch C1 C3 F6 BATCH
"""

from __future__ import annotations

import sys

import psutil
import torch
from torch.nn import functional as F

from whole_study.pytorch_tutorial import TutorialNet


def main(c1: int, c3: int, f6: int, batch: int) -> None:
    torch.set_num_threads(1)
    net = TutorialNet(c1, c3, f6, 10)
    optimizer = torch.optim.Adam(net.parameters())
    F.cross_entropy(net(torch.randn(batch, 3, 32, 32)), torch.zeros(batch, dtype=torch.int64)).backward()
    optimizer.step()
    print(psutil.Process().memory_full_info().uss)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
