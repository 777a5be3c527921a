"""What a network and its data look like: filters, maps of pictures, and where in a picture a class is seen.

Public are its modules: `classifiers` (networks that give classes to pictures), `embedding` (t-SNE), `filters` (what
excites them), `occlusion` (local classification) and `tiles` (pictures laid out to be looked at).
"""

__all__ = ["classifiers", "embedding", "filters", "occlusion", "tiles"]
