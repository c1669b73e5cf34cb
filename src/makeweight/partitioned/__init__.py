"""Tables that are larger than memory: Parquet in many pieces, on the engine.

What is known of a piece adds up with what is known of the others, in any order; so neither the schema nor the
rows depend on how the table is cut, or on who does the work.
"""

from makeweight.partitioned.folder import OutputFolder, PartRecord
from makeweight.partitioned.result import PartitionedGeneration
from makeweight.partitioned.run import balance_partitions
from makeweight.partitioned.survey import Workers, survey

__all__ = ["OutputFolder", "PartRecord", "PartitionedGeneration", "Workers", "balance_partitions", "survey"]
