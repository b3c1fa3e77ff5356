"""What is timed, and the ratios that it is to reach."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    network: str
    side: int
    batch: int
    mode: str
    at_least: float
    aim: float
    # 3: torchvision's form of the network.
    channels: int = 1

    @property
    def name(self):
        return f"{self.network}-{self.side}"

    @property
    def options(self):
        """Which network it is, to `resin bench` and `resin summary`."""
        shape = f"{self.channels}x{self.side}x{self.side}"
        return [self.network, "--input", shape, *(["--variant", "torchvision"] if self.channels == 3 else [])]


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
# torchvision's networks of photographs, ten classes: batch, and what training and prediction are to reach.
PHOTOGRAPHS = [
    ("mobilenet_v2", 16, 2.0, 3.5), ("mobilenet_v3_large", 16, 2.0, 3.5), ("efficientnet_b0", 16, 2.0, 3.5),
    ("resnext50_32x4d", 8, 1.6, 2.5), ("regnet_y_400mf", 16, 1.6, 2.5), ("squeezenet1_1", 32, 1.6, 2.5),
    ("shufflenet_v2_x1_0", 32, 1.6, 2.5), ("resnet50", 8, 1.5, 2.2), ("densenet121", 8, 1.5, 2.2),
    ("convnext_tiny", 8, 1.5, 2.2),
]
TRAINING += [Work(name, 224, batch, "train", at_least, aim, 3) for name, batch, at_least, aim in PHOTOGRAPHS]
INFERENCE += [Work(name, 224, batch, "infer", 1.0, 1.4, 3) for name, batch, _, _ in PHOTOGRAPHS]
# A small batch, for it is the start that is timed and not the step.
STARTUP = Work("resnet18", 96, 16, "train", 0, 0)
MEMORY = Work("nin", 224, 128, "train", 2, 3)
