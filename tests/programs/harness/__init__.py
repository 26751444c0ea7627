"""What the program tests have in common. Calls only the standard library; knows no program by name.

processes.py   the processes below us: who they are, what they have mapped, how they end
modes.py       the three allocators that a program is run on
context.py     what a program's file is given: run a command, keep a server, record what must not differ
session.py     the temporary directory, the programs, one program on one mode
report.py      what people read: progress, differences, the last line
"""
