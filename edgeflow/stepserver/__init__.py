"""Runs steps in forks of a warm process, in the place of starting Python for each.

While Snakemake runs, `launch` holds a socket. The command of a step (`client`) connects to it
before anything heavy is imported; `server` passes it on to a warm process (`warm`) that has
imported what such steps import, and forks a child that becomes this one step. Where anything is in
doubt, the command runs the step by itself.
"""
