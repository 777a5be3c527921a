"""Options that several commands share, and the values that can be chosen.

`Pixels` and `Variant` repeat lists of `dlcv04.networks`, and `Base` one of `dlcv04.finetuning`: those modules import
NumPy, which help must not wait for. A test holds them together.
"""

from typing import Annotated, Literal

import typer

from dlcv04.harness.policy import Data, Device, Profile

Base = Literal["vgg16", "cifar10"]
Format = Literal["html", "markdown", "json", "github-action-benchmark", "bencher"]
Page = Literal["run", "side-by-side", "trends"]
Pixels = Literal["unit", "bytes", "imagenet"]
Variant = Literal[
    "base",
    "one_conv_less",
    "three_conv_more",
    "fc1024",
    "one_fc128_more",
    "half_filters",
    "kernel_5x5",
    "double_pooling",
]

DeviceName = Annotated[Device, typer.Option("--device", help="where to compute; auto takes a GPU if there is one")]
Force = Annotated[bool, typer.Option("--force", help="store despite uncommitted changes or red claims, and show it")]
PixelKind = Annotated[Pixels, typer.Option("--pixels", help="what the network in a file takes")]
ProfileName = Annotated[Profile, typer.Option("--profile", help="how large the run is")]
Reason = Annotated[str, typer.Option("--reason", help="why later runs should be compared with these figures")]
Source = Annotated[Data, typer.Option("--data", help="real data or the embedded stand-in; auto takes what is there")]
Suite = Annotated[str, typer.Option("--suite", help="folder of the claims")]
