"""hpo-optuna: which hyperparameter optimizer should I use for my network, and how sure can I be?

>>> from hpo_optuna import Budget, ComparisonPlan, HyperparameterOptimizer, SamplerSpec
"""

from .errors import StudyStopped as StudyStopped
from .errors import UserError as UserError
from .errors import WorkerError as WorkerError
from .optimizer import HyperparameterOptimizer as HyperparameterOptimizer
from .plan import Budget as Budget
from .plan import ComparisonPlan as ComparisonPlan
from .plan import SamplerSpec as SamplerSpec
from .pruners import PrunerSpec as PrunerSpec
from .pruners import make_pruner as make_pruner
from .registry import make_sampler as make_sampler
from .status import Status as Status
from .tasks.model import load_model as load_model
