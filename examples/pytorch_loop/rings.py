"""The experiment: points on two rings, told apart by small networks that a plain PyTorch loop trains."""

import torch
from torch import nn

EPOCHS, BATCH = 8, 50
torch.set_num_threads(1)  # with more, equal seeds would not give equal figures on every machine


def draw(count, generator):
    """Points of two noisy rings of radius 1 and 2, float32 (count, 2), and which ring, int64 (count,)."""
    ring = torch.randint(2, (count,), generator=generator)
    angle = 2 * torch.pi * torch.rand(count, generator=generator)
    radius = 1 + ring + 0.2 * torch.randn(count, generator=generator)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1), ring


def network(hidden):
    """So many hidden units, or none."""
    if not hidden:
        return nn.Linear(2, 2)
    return nn.Sequential(nn.Linear(2, hidden), nn.ReLU(), nn.Linear(hidden, 2))


def step(model, optimizer, points, ring):
    """One training step; returns the loss as a tensor."""
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(points), ring)
    loss.backward()
    optimizer.step()
    return loss


def train(hidden, seed):
    """Yield one row of figures an epoch; the seed draws the points, the weights and the order."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    points, ring = draw(500, generator)
    val_points, val_ring = draw(500, generator)
    model = network(hidden)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(EPOCHS):
        losses = [
            step(model, optimizer, points[batch], ring[batch]).item()
            for batch in torch.randperm(len(points), generator=generator).split(BATCH)
        ]
        with torch.no_grad():
            scores = model(val_points)
            yield {
                "loss": sum(losses) / len(losses),
                "val_loss": nn.functional.cross_entropy(scores, val_ring).item(),
                "val_accuracy": (scores.argmax(1) == val_ring).float().mean().item(),
            }
