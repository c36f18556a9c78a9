"""The command `kdistill`.

Importing this package is cheap: every command imports what it needs when it runs.
"""
