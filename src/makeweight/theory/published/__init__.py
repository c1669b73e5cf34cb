"""What only the published papers need: worlds with known answers, audits, expansions, the published size rule.

Import from the modules themselves: `makeweight.theory.published.worlds` and so on. docs/theory.md says which
statement of which paper is which function.
"""
