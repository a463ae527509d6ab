"""Thin layer over Linux: system calls, seccomp, cgroups. Standard library only, Python 3.10 syntax:

these modules are also loaded by the zygote, under whichever interpreter a function asks for.
"""
