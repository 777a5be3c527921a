"""A mask blacks out what it is to keep, and keeps what it is to black out."""

from dlcv04.visualization import occlusion

real = occlusion.masked


def faulty(pictures, boxes, *, keep=False):
    return real(pictures, boxes, keep=not keep)


occlusion.masked = faulty
