"""Simulated frontal chest radiographs with disease whose truth is known, and reports as noisy as real ones."""

from kdistill_core.phantom.case import PhantomCase, simulate
from kdistill_core.phantom.disease import Disease
from kdistill_core.phantom.errors import PhantomError
from kdistill_core.phantom.report import ReportStyle
from kdistill_core.phantom.writing import write_cases

__all__ = ["Disease", "PhantomCase", "PhantomError", "ReportStyle", "simulate", "write_cases"]
