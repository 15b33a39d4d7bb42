"""The parts of benchmarks/scaling.py that look into the database."""
