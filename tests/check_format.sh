#!/bin/sh
# check_format.sh ROOT: every C and C++ file is as .clang-format has it. Skipped (77) without clang-format 14.
cd "$1" || exit 1
case $(clang-format --version 2>/dev/null) in
*"version 14."*) ;;
*) echo "SKIP: no clang-format 14" && exit 77 ;;
esac
find runtime percpu include tests bench tools -name '*.[ch]' -o -name '*.cc' | xargs clang-format --dry-run -Werror
