"""What a row has to be: constraints between columns, and conditions on single ones."""

from makeweight.rules.condition import Condition, read_conditions
from makeweight.rules.constraint import Constraint, Constraints, check_rows, read_constraints, texts_of
from makeweight.rules.values import Rule, values_of

__all__ = [
    "Condition",
    "Constraint",
    "Constraints",
    "Rule",
    "check_rows",
    "read_conditions",
    "read_constraints",
    "texts_of",
    "values_of",
]
