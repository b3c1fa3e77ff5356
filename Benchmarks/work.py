"""What is timed, and the ratios that it is to reach (issue 4)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    network: str
    side: int
    batch: int
    mode: str
    at_least: float
    aim: float

    @property
    def name(self):
        return f"{self.network}-{self.side}"


TRAINING = [
    Work("nin", 224, 32, "train", 1.7, 2.5),
    Work("nin", 96, 128, "train", 1.7, 2.5),
    Work("resnet18", 224, 16, "train", 1.6, 2.3),
    Work("resnet18", 96, 64, "train", 1.6, 2.3),
    Work("googlenet", 96, 64, "train", 1.4, 2.0),
    Work("densenet", 96, 64, "train", 1.4, 2.0),
    Work("vgg11", 224, 4, "train", 1.4, 2.0),
    Work("residual-mnist", 28, 64, "train", 2, 4),
    Work("inception-mnist", 28, 64, "train", 2, 4),
    Work("lenet", 28, 256, "train", 2, 4),
]
INFERENCE = [
    Work("nin", 224, 32, "infer", 1.2, 1.8),
    Work("resnet18", 224, 16, "infer", 1.2, 1.8),
]
# A small batch, for it is the start that is timed and not the step.
STARTUP = Work("resnet18", 96, 16, "train", 0, 0)
MEMORY = Work("nin", 224, 128, "train", 2, 3)
