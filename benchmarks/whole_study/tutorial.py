"""The tutorials' side: Optuna's objective around PyTorch's loop, two threads of `study.optimize` on SQLite.

python -m whole_study.tutorial SETTING_AS_JSON URL JOBS

Data set, transforms, DataLoader and an eager float32 net, with torch's own number of threads. The sampler is ours, by
which both sides train the same configurations in whatever order two threads ask for them.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import optuna
import torch
from numpy.typing import NDArray
from torch import nn
from torchvision import transforms

from hpo_optuna.plan import sampler_seed
from hpo_optuna.samplers.random_search import RandomSearchSampler
from hpo_optuna.tasks.data import open_split
from hpo_optuna.tasks.splits import train_and_validation
from whole_study.plan import BATCH, NAME, SPACE, Setting, pruner
from whole_study.pytorch_tutorial import Pictures, TutorialNet


def main(setting: str, url: str, jobs: str) -> None:
    made = Setting(**json.loads(setting))
    split = open_split("folder", made.data_dir, "train")
    training, validation = train_and_validation(split.labels, made.validation, made.images, 0)
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(split.mean, split.std)])

    def loader(index: NDArray[np.int64], *, shuffle: bool) -> torch.utils.data.DataLoader[object]:
        pictures = Pictures(split.images[index], split.labels[index], transform)
        return torch.utils.data.DataLoader(pictures, batch_size=BATCH, shuffle=shuffle)

    train_loader, valid_loader = loader(training, shuffle=True), loader(validation, shuffle=False)

    def objective(trial: optuna.Trial) -> float:
        c1, c3 = trial.suggest_int("C1", 2, 32), trial.suggest_int("C3", 4, 64)
        f6 = trial.suggest_int("F6", 16, 256, log=True)
        net, criterion = TutorialNet(c1, c3, f6, len(split.classes)), nn.CrossEntropyLoss()
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
        accuracy = 0.0
        for epoch in range(made.epochs):
            net.train()
            for inputs, labels in train_loader:
                optimizer.zero_grad()
                loss = criterion(net(inputs), labels)
                loss.backward()
                optimizer.step()
            net.eval()
            correct = 0
            with torch.no_grad():
                for inputs, labels in valid_loader:
                    correct += (net(inputs).argmax(1) == labels).sum().item()
            accuracy = correct / len(validation)
            trial.report(accuracy, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return accuracy

    study = optuna.create_study(
        study_name=NAME,
        storage=url,
        direction="maximize",
        sampler=RandomSearchSampler(SPACE, seed=sampler_seed(made.plan(), 0)),
        pruner=pruner(),
    )
    study.optimize(objective, n_trials=made.trials, n_jobs=int(jobs))


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    main(*sys.argv[1:])
