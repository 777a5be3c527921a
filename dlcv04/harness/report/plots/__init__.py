"""The pictures of a report, drawn as SVG text from stored figures; `svg` is the canvas that they share."""
