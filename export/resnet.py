"""ResNet-34's convolutional part as an encoder with skips at every scale.

He et al., *Deep residual learning for image recognition*, 2016. Parameter names are torchvision's, so that its ImageNet
checkpoints load as they are (without `fc`, at width 1.0).
"""

from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3×3 convolutions with batch normalisation, added to their input."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            if stride != 1 or inputs != outputs
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(x)) + shortcut)


class ResNet34Encoder(nn.Module):
    """Features at 1, 1/2, 1/4, 1/8 and 1/16 of the input: the first convolution has stride 1.

    `width` scales the number of channels: 64, 64, 128, 256, 512 at 1.0 (CN114627142A [0090], stride from SMILE 2023).
    """

    BLOCKS = (3, 4, 6, 3)

    def __init__(self, width: float = 1.0):
        super().__init__()
        first, *stages = self.channels_at(width)
        self.conv1 = nn.Conv2d(3, first, 7, 1, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs = first
        for number, (blocks, outputs) in enumerate(zip(self.BLOCKS, stages, strict=True), start=1):
            stride = 1 if number == 1 else 2
            layer = [BasicBlock(inputs, outputs, stride)] + [BasicBlock(outputs, outputs, 1) for _ in range(1, blocks)]
            self.add_module(f"layer{number}", nn.Sequential(*layer))
            inputs = outputs

    @staticmethod
    def channels_at(width: float) -> list[int]:
        """Channels of the five maps, fine to coarse."""
        return [round(channels * width) for channels in (64, 64, 128, 256, 512)]

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, 3, H, W) → five maps from fine to coarse, H and W divisible by 16."""
        features = [self.relu(self.bn1(self.conv1(x)))]
        x = self.maxpool(features[0])
        for number in range(1, len(self.BLOCKS) + 1):
            x = self.get_submodule(f"layer{number}")(x)
            features.append(x)
        return features
