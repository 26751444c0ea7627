"""Loads programs' files: the benchmarks, and the program tests, whose inputs some benchmarks share."""

import functools
import importlib.util
import os

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TESTS = os.path.join(os.path.dirname(os.path.dirname(HERE)), "tests", "programs")


@functools.cache
def load(folder, name):
    spec = importlib.util.spec_from_file_location(f"{os.path.basename(folder)}_{name}", f"{folder}/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def borrowed(name):
    """The program test of that name."""
    return load(TESTS, name)


def beside(name):
    """The benchmark of that name."""
    return load(HERE, name)
