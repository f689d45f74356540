"""Placeholder."""
from derivgen.lowering.draft import Draft

def stable_statements(draft: Draft) -> Draft:
    return draft
