"""The training room: tasks that yield scores. Knows nothing of Optuna; imports torch only when it trains."""

from .lenet5 import LeNet5Task as LeNet5Task
from .model import Model as Model
from .model import Prediction as Prediction
from .model import load_model as load_model
from .task import Diverged as Diverged
from .task import FinalScore as FinalScore
from .task import Score as Score
from .task import Task as Task
