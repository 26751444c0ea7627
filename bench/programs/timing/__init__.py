"""Whole programs on each allocator: how they are run and measured, and how the results are told.

    allocators   what is preloaded for each
    files        loads programs' files
    context      what a program's file is given
    rounds       all programs on all allocators, interleaved
    results      medians, the tables, the JSON

Uses the finding of commands and the ending of processes of the program tests, in tests/programs/harness.
"""
