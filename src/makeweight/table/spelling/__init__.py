"""Columns whose values are written in a style: numbers, dates and addresses as text, dates as whole numbers."""
