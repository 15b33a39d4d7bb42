"""A training step as one CUDA graph: on small nets a GPU waits for kernels to be launched, one by one.

The pattern is that of PyTorch's notes on CUDA semantics ("Whole-network capture"): a few steps on a side stream, one
capture, then replays on inputs that are copied into place. Not measured on a GPU.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import torch
from torch import Tensor

WARM_UP: Final = 3  # steps before the capture: in them the optimizer's state and the libraries' work areas are made


class Recorder(Protocol):
    def aside(self, run: Callable[[], None]) -> None:
        """Run on the stream on which the capture will be."""

    def capture(self, run: Callable[[], None]) -> Callable[[], None]:
        """Record what `run` launches, without doing it; call the answer to do it. Raises RuntimeError."""


class CudaRecorder:
    """Args:
    generators: what the step draws from on the device; a graph must know them.
    """

    def __init__(self, generators: Sequence[torch.Generator]) -> None:
        self._generators = generators
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def aside(self, run: Callable[[], None]) -> None:
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            run()
        torch.cuda.current_stream().wait_stream(self._stream)

    def capture(self, run: Callable[[], None]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        for generator in self._generators:
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph, stream=self._stream):
            run()
        return graph.replay


class GraphedStep:
    """Calls `step`, from the fourth batch on by replaying a recording of it.

    No step is made for the warm-up alone: the first ones are steps of the training, so that a recording changes how
    kernels are launched and not what is computed. A batch of another shape (an epoch's last) goes through `step`
    itself, and so does every batch after a capture that failed, with a warning.

    Args:
        step: leaves its results in tensors made before, reads nothing from the device, and leaves no gradients:
            those of a recording lie in memory of its own.
    """

    def __init__(self, step: Callable[[Tensor], None], recorder: Recorder) -> None:
        self._step, self._recorder = step, recorder
        self._batch: Tensor | None = None
        self._run: Callable[[], None] | None = None
        self._seen = 0

    def __call__(self, batch: Tensor) -> None:
        if self._batch is None:
            self._batch = batch.clone()
        if batch.shape != self._batch.shape:
            self._step(batch)
            return
        self._batch.copy_(batch)
        if self._seen < WARM_UP:
            self._seen += 1
            self._recorder.aside(self._on_batch)
            return
        if self._run is None:
            self._run = self._recorded()
        self._run()

    def _on_batch(self) -> None:
        assert self._batch is not None
        self._step(self._batch)

    def _recorded(self) -> Callable[[], None]:
        try:
            return self._recorder.capture(self._on_batch)
        except RuntimeError as error:
            warnings.warn(f"No CUDA graph of the training step, which stays eager: {error}", stacklevel=2)
            return self._on_batch
