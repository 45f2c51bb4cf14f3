#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Break the rules of mutants.txt one at a time and see that the tests notice.
# Works on a copy of the sources. TAP on stdout; a mutant that nobody notices is
# a failure, and so is one whose expression changes nothing.
#
#   mutants.sh [-q] [-f FILE] [-n FIRST[-LAST]] FOLDER
#
#   FOLDER   for the copy and its objects
#   -q       only rules with a star
#   -f FILE  only the rules of this file
#   -n       only these rules, counted from 1
#
# JOBS= in the environment: jobs of make.

set -euo pipefail
cd "$(dirname "$0")"

quick=
only=
first=1
last=1000000
while getopts qf:n: opt; do
	case $opt in
	q)	quick=1 ;;
	f)	only=$OPTARG ;;
	n)	first=${OPTARG%-*} last=${OPTARG#*-} ;;
	*)	exit 1 ;;
	esac
done
shift $((OPTIND - 1))
[[ $# -eq 1 ]] || { echo 'mutants.sh: FOLDER is missing' >&2; exit 1; }

mkdir -p "$1"
out=$(cd "$1" && pwd)
cd ../..
list=selftests/core/mutants.txt
tree=$out/tree
objects=$out/objects
all=('unit' 'model --ops 150000 --seed 1' 'barrier --ops 10000000 --seed 1')

# copy FILE...: to $tree, newer than any object that is there
copy()
{
	cp --parents "$@" "$tree"
}

# build TEST...: their programs
build()
{
	local -a programs=("${@%% *}")

	make -s -C "$tree/selftests/core" -j "${JOBS:-$(nproc)}" O="$objects" \
		"${programs[@]/#/$objects/}" > "$out/build.log" 2>&1
}

# noticed TEST...: does one fail? It is left in $by. A mutant may also hang, which
# is told by the time it computes: the machine may have others to serve.
noticed()
{
	local -a command

	for by; do
		read -r -a command <<< "$by"
		(
			ulimit -t 40
			timeout 120 "$objects/${command[0]}" "${command[@]:1}" ||
				exit 1
		) > "$out/${command[0]}.log" 2>&1 || return 0
	done
	return 1
}

# Break $rule of $file by $expression; say why, if no TEST notices.
try()
{
	local path=module/core/$file

	[[ -f $path ]] || path=selftests/core/$file
	copy "$path"
	sed -i "$expression" "$tree/$path"
	if cmp -s "$path" "$tree/$path"; then
		why='the expression changes nothing'
	elif ! build "$@"; then
		# The compiler noticed, which is not what is being tested.
		why='does not compile'
	elif ! noticed "$@"; then
		why='nobody noticed'
	else
		why=
	fi
	copy "$path"
	[[ -z $why ]]
}

# parse LINE: an entry, into $star, $file, $expression, $rule and $tests
parse()
{
	local rest=${1#'* '}

	star=${1%%[!*]*}
	file=${rest%% :: *}
	rest=${rest#* :: }
	expression=${rest%% :: *}
	rest=${rest#* :: }
	rule=${rest%% :: *}
	tests=("${all[@]}")
	[[ $rest != *' :: '* ]] || tests=("${rest#* :: }")
}

# Which entries? Their lines are left in $chosen.
choose()
{
	local line entry=0

	while IFS= read -r line; do
		[[ $line && $line != '#'* ]] || continue
		entry=$((entry + 1))
		parse "$line"
		((entry >= first && entry <= last)) || continue
		[[ ! $quick || $star ]] || continue
		[[ ! $only || $file == "$only" ]] || continue
		chosen[entry]=$line
	done < "$list"
}

rm -rf "$tree"
mkdir -p "$tree"
copy module/{core,dev,tests}/*.[ch] selftests/core/{Makefile,*.[ch]}
chosen=()
choose
[[ ${#chosen[@]} -gt 0 ]] || { echo 'mutants.sh: no such rules' >&2; exit 1; }

# All that they will run passes as long as nothing is broken.
declare -A needed=()
for line in "${chosen[@]}"; do
	parse "$line"
	for by in "${tests[@]}"; do
		needed[$by]=1
	done
done
build "${!needed[@]}" || { cat "$out/build.log"; exit 1; }
if noticed "${!needed[@]}"; then
	echo "Bail out! $by fails without a mutant"
	exit 1
fi

echo 'TAP version 13'
n=0
failed=0
for entry in "${!chosen[@]}"; do
	parse "${chosen[entry]}"
	n=$((n + 1))
	if try "${tests[@]}"; then
		echo "ok $n - $file $entry: $rule ($by)"
	else
		echo "not ok $n - $file $entry: $rule # $why"
		failed=1
	fi
done
echo "1..$n"
exit $failed
