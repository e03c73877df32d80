"""Measurements side by side; see README.md. Nothing here is imported by the product."""
