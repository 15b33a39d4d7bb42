"""The parts of ``benchmarks/study.py``: one study, ours and the tutorial's, each in a process of its own."""
