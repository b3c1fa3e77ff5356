"""The zoo's networks in PyTorch: what the goldens are computed from and the benchmarks are timed against.

The modules are those of the book ("Dive into deep learning"), of torchvision, and of the course that the MNIST
networks come from, so their parameters have the names that users' files have. Ten classes each. Dropout is zero unless
asked for: its random numbers are the library's own.
"""

import torch
from torch import nn
from torch.nn import functional as F


def lenet(channels):
    return nn.Sequential(
        nn.Conv2d(channels, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Sigmoid(),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(),
        nn.Linear(84, 10))  # fmt: skip


def classifier(inputs, dropout=0.0):
    return [nn.Flatten(), nn.Linear(inputs, 4096), nn.ReLU(), nn.Dropout(dropout), nn.Linear(4096, 4096), nn.ReLU(),
            nn.Dropout(dropout), nn.Linear(4096, 10)]  # fmt: skip


def alexnet(channels):
    return nn.Sequential(
        nn.Conv2d(channels, 96, 11, 4, 1), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(96, 256, 5, padding=2),
        nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 384, 3, padding=1), nn.ReLU(), nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(3, 2), *classifier(256))  # fmt: skip


class TorchvisionAlexNet(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(), nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(), nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2))  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Dropout(0), nn.Linear(9216, 4096), nn.ReLU(), nn.Dropout(0), nn.Linear(4096, 4096), nn.ReLU(),
            nn.Linear(4096, 10))  # fmt: skip

    def forward(self, x):
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), 6).flatten(1))


def vgg(channels, convolutions, side=32, dropout=0.0):
    blocks = []
    for count, outputs in zip(convolutions, (64, 128, 256, 512, 512)):
        layers = []
        for _ in range(count):
            layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.ReLU()]
            channels = outputs
        blocks.append(nn.Sequential(*layers, nn.MaxPool2d(2)))
    return nn.Sequential(*blocks, *classifier(512 * (side // 32) ** 2, dropout))


def nin(channels, ones=2, third=384, head=nn.AdaptiveAvgPool2d, final_relu=True, dropout=0.0):
    def block(inputs, outputs, kernel, stride, padding, relu=True):
        layers = [nn.Conv2d(inputs, outputs, kernel, stride, padding)]
        for _ in range(ones):
            layers += [nn.ReLU(), nn.Conv2d(outputs, outputs, 1)]
        return nn.Sequential(*layers, *([nn.ReLU()] if relu else []))

    return nn.Sequential(
        block(channels, 96, 11, 4, 0), nn.MaxPool2d(3, 2), block(96, 256, 5, 1, 2), nn.MaxPool2d(3, 2),
        block(256, third, 3, 1, 1), nn.MaxPool2d(3, 2), nn.Dropout(dropout), block(third, 10, 3, 1, 1, final_relu),
        head(1), nn.Flatten())  # fmt: skip


class Inception(nn.Module):
    """D2L 8.4."""

    def __init__(self, inputs, c1, c2, c3, c4):
        super().__init__()
        self.p1_1 = nn.Conv2d(inputs, c1, 1)
        self.p2_1, self.p2_2 = nn.Conv2d(inputs, c2[0], 1), nn.Conv2d(c2[0], c2[1], 3, padding=1)
        self.p3_1, self.p3_2 = nn.Conv2d(inputs, c3[0], 1), nn.Conv2d(c3[0], c3[1], 5, padding=2)
        self.p4_1, self.p4_2 = nn.MaxPool2d(3, 1, 1), nn.Conv2d(inputs, c4, 1)

    def forward(self, x):
        p1 = F.relu(self.p1_1(x))
        p2 = F.relu(self.p2_2(F.relu(self.p2_1(x))))
        p3 = F.relu(self.p3_2(F.relu(self.p3_1(x))))
        p4 = F.relu(self.p4_2(self.p4_1(x)))
        return torch.cat((p1, p2, p3, p4), 1)


def googlenet(channels):
    b1 = nn.Sequential(nn.Conv2d(channels, 64, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    b2 = nn.Sequential(
        nn.Conv2d(64, 64, 1), nn.ReLU(), nn.Conv2d(64, 192, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    b3 = nn.Sequential(
        Inception(192, 64, (96, 128), (16, 32), 32), Inception(256, 128, (128, 192), (32, 96), 64),
        nn.MaxPool2d(3, 2, 1))  # fmt: skip
    b4 = nn.Sequential(
        Inception(480, 192, (96, 208), (16, 48), 64), Inception(512, 160, (112, 224), (24, 64), 64),
        Inception(512, 128, (128, 256), (24, 64), 64), Inception(512, 112, (144, 288), (32, 64), 64),
        Inception(528, 256, (160, 320), (32, 128), 128), nn.MaxPool2d(3, 2, 1))  # fmt: skip
    b5 = nn.Sequential(
        Inception(832, 256, (160, 320), (32, 128), 128), Inception(832, 384, (192, 384), (48, 128), 128),
        nn.AdaptiveAvgPool2d(1), nn.Flatten())  # fmt: skip
    return nn.Sequential(b1, b2, b3, b4, b5, nn.Linear(1024, 10))


class BasicConv2d(nn.Module):
    """torchvision's."""

    def __init__(self, inputs, outputs, kernel, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class TorchvisionInception(nn.Module):
    def __init__(self, inputs, c1, c2, c3, c4):
        super().__init__()
        self.branch1 = BasicConv2d(inputs, c1, 1)
        self.branch2 = nn.Sequential(BasicConv2d(inputs, c2[0], 1), BasicConv2d(*c2, 3))
        self.branch3 = nn.Sequential(BasicConv2d(inputs, c3[0], 1), BasicConv2d(*c3, 3))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), BasicConv2d(inputs, c4, 1))

    def forward(self, x):
        return torch.cat((self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)), 1)


class TorchvisionGoogLeNet(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = BasicConv2d(channels, 64, 7, 2)
        self.conv2, self.conv3 = BasicConv2d(64, 64, 1), BasicConv2d(64, 192, 3)
        for name, *widths in [
            ("3a", 192, 64, (96, 128), (16, 32), 32), ("3b", 256, 128, (128, 192), (32, 96), 64),
            ("4a", 480, 192, (96, 208), (16, 48), 64), ("4b", 512, 160, (112, 224), (24, 64), 64),
            ("4c", 512, 128, (128, 256), (24, 64), 64), ("4d", 512, 112, (144, 288), (32, 64), 64),
            ("4e", 528, 256, (160, 320), (32, 128), 128), ("5a", 832, 256, (160, 320), (32, 128), 128),
            ("5b", 832, 384, (192, 384), (48, 128), 128),
        ]:  # fmt: skip
            self.add_module(f"inception{name}", TorchvisionInception(*widths))
        self.fc = nn.Linear(1024, 10)

    def forward(self, x):
        x = F.max_pool2d(self.conv1(x), 3, 2, ceil_mode=True)
        x = F.max_pool2d(self.conv3(self.conv2(x)), 3, 2, ceil_mode=True)
        x = F.max_pool2d(self.inception3b(self.inception3a(x)), 3, 2, ceil_mode=True)
        for name in "abcde":
            x = getattr(self, f"inception4{name}")(x)
        x = self.inception5b(self.inception5a(F.max_pool2d(x, 2, 2, ceil_mode=True)))
        return self.fc(x.mean((2, 3)))


class InceptionA(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.branch1x1 = nn.Conv2d(inputs, 16, 1)
        self.branch5x5_1, self.branch5x5_2 = nn.Conv2d(inputs, 16, 1), nn.Conv2d(16, 24, 5, padding=2)
        self.branch3x3_1, self.branch3x3_2 = nn.Conv2d(inputs, 16, 1), nn.Conv2d(16, 24, 3, padding=1)
        self.branch3x3_3 = nn.Conv2d(24, 24, 3, padding=1)
        self.branch_pool = nn.Conv2d(inputs, 24, 1)

    def forward(self, x):
        branch3x3 = self.branch3x3_3(self.branch3x3_2(self.branch3x3_1(x)))
        branch_pool = self.branch_pool(F.avg_pool2d(x, 3, 1, 1))
        return torch.cat((self.branch1x1(x), self.branch5x5_2(self.branch5x5_1(x)), branch3x3, branch_pool), 1)


class InceptionMNIST(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 10, 5), nn.Conv2d(88, 20, 5)
        self.incep1, self.incep2 = InceptionA(10), InceptionA(20)
        self.fc = nn.Linear(1408, 10)

    def forward(self, x):
        x = self.incep1(F.relu(F.max_pool2d(self.conv1(x), 2)))
        x = self.incep2(F.relu(F.max_pool2d(self.conv2(x), 2)))
        return self.fc(x.flatten(1))


class PlainResidual(nn.Module):
    def __init__(self, channels, shortcut):
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.shortcut = shortcut
        if shortcut == "conv":
            self.conv3 = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        y = self.conv2(F.relu(self.conv1(x)))
        z = (self.conv3(x) if self.shortcut == "conv" else x) + y
        return F.relu(0.5 * z if self.shortcut == "constant-scaling" else z)


class ResidualMNIST(nn.Module):
    def __init__(self, shortcut):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 5), nn.Conv2d(16, 32, 5)
        self.rblock1, self.rblock2 = PlainResidual(16, shortcut), PlainResidual(32, shortcut)
        self.fc = nn.Linear(512, 10)

    def forward(self, x):
        x = self.rblock1(F.max_pool2d(F.relu(self.conv1(x)), 2))
        x = self.rblock2(F.max_pool2d(F.relu(self.conv2(x)), 2))
        return self.fc(x.flatten(1))


class Residual(nn.Module):
    """D2L 8.6."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.conv3 = nn.Conv2d(inputs, outputs, 1, stride) if stride > 1 else None
        self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (self.conv3(x) if self.conv3 else x))


def book_resnet(channels, blocks):
    stages = [nn.Sequential(
        nn.Conv2d(channels, 64, 7, 2, 3), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1))]  # fmt: skip
    for stage, count in enumerate(blocks):
        outputs = 64 << stage
        first = Residual(outputs // 2, outputs, 2) if stage else Residual(64, 64)
        stages.append(nn.Sequential(first, *(Residual(outputs, outputs) for _ in range(count - 1))))
    return nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


class TorchvisionBlock(nn.Module):
    def __init__(self, inputs, channels, stride, is_bottleneck):
        super().__init__()
        outputs = channels * (4 if is_bottleneck else 1)
        windows = [(1, 1, 0), (3, stride, 1), (1, 1, 0)] if is_bottleneck else [(3, stride, 1), (3, 1, 1)]
        self.count, before = len(windows), inputs
        for index, window in enumerate(windows):
            after = outputs if index == self.count - 1 else channels
            setattr(self, f"conv{index + 1}", nn.Conv2d(before, after, *window, bias=False))
            setattr(self, f"bn{index + 1}", nn.BatchNorm2d(after))
            before = after
        self.downsample = None
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = x
        for index in range(1, self.count + 1):
            y = getattr(self, f"bn{index}")(getattr(self, f"conv{index}")(y))
            y = F.relu(y) if index < self.count else y
        return F.relu(y + (self.downsample(x) if self.downsample else x))


class TorchvisionResNet(nn.Module):
    def __init__(self, channels, blocks, is_bottleneck):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        inputs = 64
        for stage, count in enumerate(blocks):
            layers = []
            for block in range(count):
                stride = 2 if stage and not block else 1
                layers.append(TorchvisionBlock(inputs, 64 << stage, stride, is_bottleneck))
                inputs = (64 << stage) * (4 if is_bottleneck else 1)
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(inputs, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
        return self.fc(x.mean((2, 3)))


class BookDenseBlock(nn.Module):
    """D2L 8.7."""

    def __init__(self, inputs):
        super().__init__()
        self.net = nn.Sequential(*(
            nn.Sequential(
                nn.BatchNorm2d(inputs + 32 * index), nn.ReLU(),
                nn.Conv2d(inputs + 32 * index, 32, 3, padding=1))
            for index in range(4)))  # fmt: skip

    def forward(self, x):
        for block in self.net:
            x = torch.cat((x, block(x)), 1)
        return x


def densenet(channels):
    layers = [nn.Sequential(
        nn.Conv2d(channels, 64, 7, 2, 3), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1))]  # fmt: skip
    count = 64
    for stage in range(4):
        layers.append(BookDenseBlock(count))
        count += 128
        if stage < 3:
            layers.append(nn.Sequential(
                nn.BatchNorm2d(count), nn.ReLU(), nn.Conv2d(count, count // 2, 1), nn.AvgPool2d(2)))  # fmt: skip
            count //= 2
    return nn.Sequential(
        *layers, nn.BatchNorm2d(count), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(count, 10))


class DenseLayer(nn.Module):
    """torchvision's."""

    def __init__(self, inputs):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, 128, 1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(128), nn.Conv2d(128, 32, 3, padding=1, bias=False)

    def forward(self, x):
        return self.conv2(F.relu(self.norm2(self.conv1(F.relu(self.norm1(x))))))


class DenseBlock(nn.ModuleDict):
    def forward(self, x):
        for layer in self.values():
            x = torch.cat((x, layer(x)), 1)
        return x


class DenseNet121(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.features = nn.Sequential()
        add = self.features.add_module
        add("conv0", nn.Conv2d(channels, 64, 7, 2, 3, bias=False))
        add("norm0", nn.BatchNorm2d(64))
        add("relu0", nn.ReLU())
        add("pool0", nn.MaxPool2d(3, 2, 1))
        inputs = 64
        for block, count in enumerate((6, 12, 24, 16), 1):
            layers = {f"denselayer{index + 1}": DenseLayer(inputs + 32 * index) for index in range(count)}
            add(f"denseblock{block}", DenseBlock(layers))
            inputs += 32 * count
            if block < 4:
                transition = nn.Sequential()
                transition.add_module("norm", nn.BatchNorm2d(inputs))
                transition.add_module("relu", nn.ReLU())
                transition.add_module("conv", nn.Conv2d(inputs, inputs // 2, 1, bias=False))
                transition.add_module("pool", nn.AvgPool2d(2))
                add(f"transition{block}", transition)
                inputs //= 2
        add("norm5", nn.BatchNorm2d(inputs))
        self.classifier = nn.Linear(inputs, 10)

    def forward(self, x):
        return self.classifier(F.relu(self.features(x)).mean((2, 3)))
