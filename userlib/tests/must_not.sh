#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# must_not.sh FILE COMPILER...: every case of a file of what must not compile is
# refused, and for the reason that stands there; without a case it compiles.
# Prints what is not so.

set -u
file=$1
shift
status=0

if ! "$@" -DCASE=0 -fsyntax-only "$file"; then
	echo "# $file: does not compile without a case"
	exit 1
fi
while read -r number reason; do
	if output=$("$@" "-DCASE=$number" -fsyntax-only "$file" 2>&1); then
		echo "# $file: case $number compiles"
		status=1
	elif ! grep -qF "$reason" <<< "$output"; then
		echo "# $file: case $number is refused without '$reason'"
		status=1
	fi
done < <(sed -n 's|^#e*l*if CASE == \([0-9]*\) // |\1 |p' "$file")
exit "$status"
