"""The pictures of a report, drawn as SVG text from stored figures; `svg` is the canvas that they share."""

__all__ = ["curves", "detection", "epoch_times", "epochs_to_target", "forest", "sparkline", "svg"]
