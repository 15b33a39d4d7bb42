"""A ResNet on your own pictures, DIR/train/<class>/<picture>: which optimizer sets its training best?

hpo-optuna run examples/resnet_folder.py --data-dir DIR
"""

from dataclasses import dataclass

import torch
from optuna.distributions import CategoricalDistribution, FloatDistribution
from torch.utils.data import DataLoader, random_split
from torchvision.datasets import ImageFolder
from torchvision.models import resnet18
from torchvision.transforms.v2 import Compose, Resize, ToDtype, ToImage

from hpo_optuna import Budget, ComparisonPlan, SamplerSpec


@dataclass(frozen=True)
class ResNetOnFolder:
    data_dir: str = "pictures"  # what --data-dir sets
    epochs: int = 5
    size: int = 64  # pixels, each way

    def __call__(self, config, *, seed):
        torch.manual_seed(seed)
        to_image = Compose([ToImage(), Resize((self.size, self.size)), ToDtype(torch.float32, scale=True)])
        pictures = ImageFolder(f"{self.data_dir}/train", to_image)
        parts = random_split(pictures, [0.8, 0.2], torch.Generator().manual_seed(0))  # the same in every trial
        train, held_out = (DataLoader(part, batch_size=16, shuffle=part is parts[0]) for part in parts)
        net = resnet18(num_classes=len(pictures.classes))
        sgd = torch.optim.SGD(net.parameters(), config["lr"], config["momentum"], weight_decay=config["weight_decay"])
        for _ in range(self.epochs):
            net.train()
            for x, y in train:
                sgd.zero_grad()
                torch.nn.functional.cross_entropy(net(x), y).backward()
                sgd.step()
            net.eval()
            with torch.inference_mode():
                right = sum(int((net(x).argmax(1) == y).sum()) for x, y in held_out)
            yield right / len(held_out.dataset)


PLAN = ComparisonPlan(
    name="resnet-folder",
    task=ResNetOnFolder(),
    space={
        "lr": FloatDistribution(1e-4, 1.0, log=True),
        "momentum": CategoricalDistribution([0.0, 0.9]),
        "weight_decay": FloatDistribution(1e-6, 1e-2, log=True),
    },
    samplers={"random": SamplerSpec("random_search"), "pso": SamplerSpec("pso"), "tpe": SamplerSpec("tpe")},
    budget=Budget(trials=20),
    replicates=5,
)
