"""makeweight adds the rows a table is missing."""
