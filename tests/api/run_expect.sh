#!/bin/sh
# run_expect.sh LINE PROGRAM [ARGUMENT ...]: passes if the program exits with 0 and prints LINE.
# For what is printed after main: an exit status alone cannot show that destructors ran to their end.
# LD_PRELOAD for the program alone: set FLAGSTONE_TEST_PRELOAD. With MESON_EXE_WRAPPER (qemu-user) it runs in that.
line=$1
shift
if [ -n "$MESON_EXE_WRAPPER" ]; then
	# shellcheck disable=SC2086 # words
	output=$(QEMU_SET_ENV=FLAGSTONE_EMULATED=1${FLAGSTONE_TEST_PRELOAD:+,LD_PRELOAD=$FLAGSTONE_TEST_PRELOAD} $MESON_EXE_WRAPPER "$@")
else
	output=$(LD_PRELOAD=$FLAGSTONE_TEST_PRELOAD "$@")
fi
status=$?
printf '%s\n' "$output"
if [ $status -ne 0 ]; then
	echo "FAIL: $1: exit status $status"
	exit 1
fi
if ! printf '%s\n' "$output" | grep -qFx "$line"; then
	echo "FAIL: $1: did not print: $line"
	exit 1
fi
