"""What leaves the program: folders that hold an explanation.

Importing this package is cheap; matplotlib and jinja2 are imported by the first export.
"""
