"""hpo-optuna."""
