#!/usr/bin/env python3
"""Writes the files of PyTorch's that Tests/Files reads, and the same tensors as safetensors. Needs torch and safetensors;
run it in this folder."""
import argparse
import collections
import copy
import os
import warnings

import torch
from safetensors.torch import save_file

warnings.filterwarnings("ignore")
torch.manual_seed(7)

# What a state_dict is: an OrderedDict with `_metadata`, a counter among its tensors.
module = torch.nn.Sequential(
    collections.OrderedDict(conv=torch.nn.Conv2d(3, 2, 2), bn=torch.nn.BatchNorm2d(2)))
module.bn.running_var.uniform_(0.5, 2)
module.bn.num_batches_tracked.fill_(9_007_199_254_740_993)
weights = copy.deepcopy(module.state_dict())
weights["empty"] = torch.zeros(0, 3)
others = {name: tensor * 0 for name, tensor in weights.items()}
save_file(dict(weights), "weights.safetensors")
torch.save(weights, "plain.pth")
torch.save(weights, "protocol4.pth", pickle_protocol=4)
torch.save(weights, "protocol5.pth", pickle_protocol=5)
torch.save(weights, "legacy.pth", _use_new_zipfile_serialization=False)
torch.save(weights, "legacy4.pth", _use_new_zipfile_serialization=False, pickle_protocol=4)
torch.save({name: torch.nn.Parameter(tensor, requires_grad=False) for name, tensor in weights.items()}, "parameters.pth")

# Trainers' checkpoints.
optimizer = torch.optim.AdamW(module.parameters(), lr=0.1)
module(torch.ones(1, 3, 4, 4)).sum().backward()
scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5])
optimizer.step()
torch.save(
    {
        "model": weights, "optimizer": optimizer.state_dict(), "lr_scheduler": scheduler.state_dict(), "epoch": 3,
        "args": argparse.Namespace(lr=0.1, model="small", amp=False, milestones=[3, 5]), "best_acc1": torch.tensor(76.1),
        "rng": torch.get_rng_state(),
    }, "trainer.pth")
torch.save({"model": others, "model_ema": {"module." + name: tensor for name, tensor in weights.items()}}, "ema.pth")
torch.save({"state_dict": others, "ema": {"module": weights, "updates": 12}, "epoch": 1}, "nested.pth")
torch.save({**weights, "epoch": 3, "arch": "small", 7: None}, "mixed.pth")

# Every type.
types = {
    "half": torch.tensor([0.5, -65504, 6e-8]).half(), "brain": torch.tensor([1, -3.140625]).bfloat16(),
    "double": torch.tensor([[0.1], [1e-40]], dtype=torch.float64), "long": torch.tensor([-1, 2**62]),
    "int": torch.tensor(-7, dtype=torch.int32), "short": torch.tensor([-300], dtype=torch.int16),
    "char": torch.tensor([-128, 127], dtype=torch.int8), "byte": torch.tensor([0, 255], dtype=torch.uint8),
    "bool": torch.tensor([True, False]),
}
save_file(types, "types.safetensors")
torch.save(types, "types.pth")
torch.save(types, "types-legacy.pth", _use_new_zipfile_serialization=False)

# Tensors that do not lie as their shape says.
base = torch.arange(120, dtype=torch.float32).reshape(2, 3, 4, 5)
strided = {
    "whole": base, "same": base, "permuted": base.permute(3, 1, 0, 2), "column": base[:, 1, :, 2:4], "one": base[1, 2, 3, 4],
    "channels_last": base.clone().to(memory_format=torch.channels_last), "transposed": torch.rand(3, 2).half().t(),
    "step": torch.arange(9)[1::3], "single": base[:1, :, :1],
}
save_file({name: tensor.contiguous().clone() for name, tensor in strided.items()}, "strided.safetensors")
torch.save(strided, "strided.pth")
torch.save(strided, "strided-legacy.pth", _use_new_zipfile_serialization=False)


class Command:
    def __reduce__(self):
        return os.system, ("touch /tmp/resin-ran-this",)


# What is refused.
torch.save({"weight": torch.zeros(2), "x": Command()}, "system.pth")
torch.save({"weight": torch.zeros(2), "x": Command()}, "system-legacy.pth", _use_new_zipfile_serialization=False)
torch.save({"model": torch.nn.Linear(2, 1), "epoch": 1}, "module.pth")
torch.save({"weight": torch.zeros(2), "mask": torch.ones(1).expand(1000)}, "expanded.pth")
torch.jit.save(torch.jit.script(torch.nn.Linear(2, 1)), "script.pt")
