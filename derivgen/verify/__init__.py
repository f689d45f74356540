"""Proof-reading of hand-written formulas: scanner, judge, hints, report."""

from __future__ import annotations

from derivgen.verify.annotate import annotated
from derivgen.verify.note import verify_text
from derivgen.verify.report import Finding, Item, Report

__all__ = ["Finding", "Item", "Report", "annotated", "verify_text"]
