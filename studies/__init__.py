"""The plans that ship: each module holds one constant, ``PLAN``."""
