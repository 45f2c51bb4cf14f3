#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Break the rules of mutants.txt one at a time and see that the tests notice.
# Works on a copy of module/core. TAP on stdout; a mutant that nobody notices is
# a failure, and so is one whose expression changes nothing.
#
#   mutants.sh FOLDER    for the copy and its objects

set -euo pipefail
cd "$(dirname "$0")"

out=$1
core=$out/core
objects=$out/objects
model_ops=150000
barrier_ops=4000000

mkdir -p "$core"
# Newer than any object that an earlier run has left.
cp ../../module/core/* "$core/"

build()
{
	make -s -j "$(nproc)" CORE="$core" O="$objects" \
		"$objects/unit" "$objects/model" "$objects/barrier" \
		> "$out/build.log" 2>&1
}

# Do the tests fail? A mutant may also hang.
noticed()
{
	! timeout 60 "$objects/unit" > "$out/unit.log" 2>&1 ||
	! timeout 120 "$objects/model" --ops "$model_ops" --seed 1 \
		> "$out/model.log" 2>&1 ||
	! timeout 120 "$objects/barrier" --ops "$barrier_ops" --seed 1 \
		> "$out/barrier.log" 2>&1
}

build || { cat "$out/build.log"; exit 1; }
if noticed; then
	echo 'Bail out! the tests fail without a mutant'
	exit 1
fi

echo 'TAP version 13'
n=0
failed=0
while IFS= read -r line; do
	[[ $line == '#'* || -z $line ]] && continue
	file=${line%% :: *}
	rule=${line##* :: }
	expression=${line#* :: }
	expression=${expression% :: *}
	n=$((n + 1))
	sed -i "$expression" "$core/$file"
	if cmp -s "$core/$file" "../../module/core/$file"; then
		echo "not ok $n - $rule # the expression changes nothing"
		failed=1
	elif ! build; then
		# The compiler noticed, which is not what is being tested.
		echo "not ok $n - $rule # does not compile"
		failed=1
	elif noticed; then
		echo "ok $n - $rule"
	else
		echo "not ok $n - $rule # nobody noticed"
		failed=1
	fi
	cp "../../module/core/$file" "$core/$file"
done < mutants.txt
echo "1..$n"
exit $failed
