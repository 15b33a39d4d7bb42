"""``python -m hpo_optuna``."""

from .cli import main

raise SystemExit(main())
