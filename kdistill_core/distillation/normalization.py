"""Batch normalization over the images of every process, so that a batch counts as one, however many share it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kdistill_core.distillation.processes import process_count, summed


class SharedBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d whose statistics in training are those of all processes' images, on any device.

    torch's SyncBatchNorm does the same on GPUs alone. Parameters and buffers keep their names.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's own name
        """Return ``input`` float [B, C, h, w] normalized; every process gives equally many images of one size."""
        if not self.training or process_count() == 1:
            return super().forward(input)
        values = input.float()
        count = values.numel() // values.shape[1] * process_count()
        mean = summed(values.sum((0, 2, 3))) / count
        centered = values - mean.view(1, -1, 1, 1)
        variance = summed(centered.square().sum((0, 2, 3))) / count
        self._remember(mean.detach(), variance.detach() * count / max(count - 1, 1))
        scaled = centered * torch.rsqrt(variance + self.eps).view(1, -1, 1, 1)
        if self.affine:
            scaled = scaled * self.weight.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)
        return scaled.to(input.dtype)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = self.momentum if self.momentum is not None else 1 / int(self.num_batches_tracked)
        self.running_mean.lerp_(mean.to(self.running_mean), share)
        self.running_var.lerp_(variance.to(self.running_var), share)


def share_batch_statistics(model: nn.Module) -> None:
    """Let every BatchNorm2d in ``model`` count the images of all processes; its weights and their names stay."""
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.BatchNorm2d:
                setattr(parent, name, _shared(child))


def _shared(norm: nn.BatchNorm2d) -> SharedBatchNorm2d:
    tracked = norm.track_running_stats
    shared = SharedBatchNorm2d(norm.num_features, norm.eps, norm.momentum, norm.affine, track_running_stats=tracked)
    # The tensors themselves, which an optimizer may hold already.
    for name, parameter in norm.named_parameters():
        shared.register_parameter(name, parameter)
    for name, buffer in norm.named_buffers():
        shared.register_buffer(name, buffer)
    return shared.train(norm.training)
