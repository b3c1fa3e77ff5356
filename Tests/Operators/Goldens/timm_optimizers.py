"""LAMB and Lion as timm has them (huggingface/pytorch-image-models, timm/optim/lamb.py and lion.py, 1.0), its formulas
written out for PyTorch's `Optimizer`: timm itself is not needed."""

import torch


class Lamb(torch.optim.Optimizer):
    """You et al., "Large batch optimization for deep learning: training BERT in 76 minutes", ICLR 2020, with timm's
    defaults: bias correction, averaged gradients, all gradients clipped to a norm of 1 first, no adaptation of what does
    not decay."""

    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.01, max_grad_norm=1.0):
        super().__init__(parameters, {"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay})
        self.max_grad_norm = max_grad_norm
        self.steps = 0

    @torch.no_grad()
    def step(self):
        self.steps += 1
        divisor = 1.0
        if self.max_grad_norm is not None:
            squares = sum(p.grad.pow(2).sum() for group in self.param_groups for p in group["params"])
            divisor = (squares.sqrt() / self.max_grad_norm).clamp(min=1.0)
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            first, second = 1 - beta1**self.steps, 1 - beta2**self.steps
            for p in group["params"]:
                grad, state = p.grad / divisor, self.state[p]
                if not state:
                    state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(p), torch.zeros_like(p)
                m, v = state["exp_avg"], state["exp_avg_sq"]
                m.mul_(beta1).add_(grad, alpha=1 - beta1)
                v.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
                update = m / first / (v.sqrt() / second**0.5 + group["eps"])
                if group["weight_decay"] != 0:
                    update = update + group["weight_decay"] * p
                    weights, updates = p.norm(2.0), update.norm(2.0)
                    if weights > 0 and updates > 0:
                        update = update * (weights / updates)
                p.add_(update, alpha=-group["lr"])


class Lion(torch.optim.Optimizer):
    """Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023."""

    def __init__(self, parameters, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(parameters, {"lr": lr, "betas": tuple(betas), "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["exp_avg"] = torch.zeros_like(p)
                m = state["exp_avg"]
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_((m * beta1 + p.grad * (1 - beta1)).sign(), alpha=-group["lr"])
                m.lerp_(p.grad, 1 - beta2)
