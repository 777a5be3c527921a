"""The reports of a run: one view model, several renderers.

`model` is what a report says, `renderers` how it is written, `plots` what is drawn, `formatting` how figures read.
"""

from dlcv04.harness.report.renderers.exports import left_out
from dlcv04.harness.report.writing import TEXTS, ReportError, page_of, text, write, write_several, write_text

__all__ = ["TEXTS", "ReportError", "left_out", "page_of", "text", "write", "write_several", "write_text"]
