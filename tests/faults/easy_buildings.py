"""The drawn buildings are easy: each seen whole, from straight ahead, by plain daylight, without noise."""

from dlcv04.datasets import drawn_buildings

drawn_buildings.buildings = lambda size: drawn_buildings.draw(size, difficulty=0.0, noise=0.0)
