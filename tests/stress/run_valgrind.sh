#!/bin/sh
# run_valgrind.sh PROGRAM [ARGUMENT ...]: runs the program in valgrind, which simulates its threads and knows no rseq.
if ! command -v valgrind >/dev/null; then
	echo "SKIP: valgrind: not installed"
	exit 77
fi
exec valgrind -q --tool=none --error-exitcode=9 "$@"
