#!/bin/sh
# run_aside.sh LIBRARY SANITIZER PROGRAM: preloaded into a program with that sanitizer, the library says one line, and the
# program runs as without it: its arguments, output and status are its own.
expected="flagstone: this program was built with $2, which has its own malloc: stepping aside"
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT
output=$(LD_PRELOAD=$1 "$3" "two words" last 2>"$errors")
status=$?
if [ "$status" != 7 ] || [ "$output" != "2 arguments, last, block yes" ] || [ "$(cat "$errors")" != "$expected" ]; then
	echo "FAIL: status $status, output '$output', errors:"
	cat "$errors"
	exit 1
fi
echo "PASS: $expected"
