"""Teaching, distilling and explaining chest-radiograph models; no Qt anywhere below."""

__version__ = "0.1.0"
