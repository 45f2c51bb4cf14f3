#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# `make check`: everything that can be found without running anything. Each
# check is one line of TAP in build/logs/check.tap; its output, if it fails, is
# shown and kept beside it.
#
#   check.sh [CHECK...]     default: all of them; see the end of this file

set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

LOGS=$BUILD/logs
TAP=$LOGS/check.tap
PASSED=$CACHE/passed
mkdir -p "$LOGS" "$PASSED"
cd "$TOP"

# Our own files: what git knows or would take.
files()
{
	git ls-files -co --exclude-standard -- "$@" | sort -u |
	while IFS= read -r file; do
		[[ ! -f $file ]] || printf '%s\n' "$file"
	done
}

# Run a command on files; no file at all is an error, not a success.
on_files()
{
	local -a list

	mapfile -t list
	[[ ${#list[@]} -gt 0 ]] || { echo "no files to check"; return 1; }
	"$@" "${list[@]}"
}

# What the longest checks find depends on nothing but what they read. What has passed
# is remembered by an empty file in the cache folder, whose name is the check's and
# the hash of all that, which is on stdin.
passed()
{
	printf '%s/%s-%s\n' "$PASSED" "$1" "$(sha256sum | cut -c 1-32)"
}

# Has it passed before? Then it is remembered for another month.
remembered()
{
	[[ -f $1 ]] && touch "$1"
}

# Fail if the output of a build has a warning, from whatever tool it comes.
no_warnings()
{
	local output status=0

	output=$("$@" 2>&1) || status=$?
	printf '%s\n' "$output"
	[[ $status -eq 0 ]] && ! grep -qiE '(warning|error):' <<< "$output"
}

check_build()
{
	no_warnings scripts/module.sh -c "$KERNEL_DIR" &&
	no_warnings scripts/module.sh -c -t "$KERNEL_DIR"
}

# C=2 has sparse read every file, also those that need no compiling.
check_sparse()
{
	no_warnings scripts/module.sh "$KERNEL_DIR" C=2 &&
	no_warnings scripts/module.sh -t "$KERNEL_DIR" C=2
}

check_imports()
{
	local ko

	ko=$(scripts/module.sh "$KERNEL_DIR" 2>/dev/null) || return 1
	only_common_imports "$ko"
}

# Why a type is ignored:
#   FILE_PATH_CHANGES, COMMIT_MESSAGE  about patches, not files
#   MACRO_ARG_REUSE, MACRO_ARG_PRECEDENCE  more noise than finds
#   SPLIT_STRING, LONG_LINE_COMMENT    a matter of reading, not of rules
#   LINUX_VERSION_CODE, CONSTANT_COMPARISON  that is what compat.h is for, and
#                                      its name there counts as a constant
#   BIT_MACRO                          most shifts are sizes; uapi has no BIT
#   UNCOMMENTED_DEFINITION             locks are commented in the kernel-doc
# mksizeclasses.c is a program for the host and not bound to the kernel's types,
# and no header of tracepoints is to checkpatch's taste.
check_checkpatch()
{
	local dir=$SOURCE/scripts type file all mark
	local -a command=(perl "$dir/checkpatch.pl" --no-tree --strict --terse
			  --no-summary --show-types)
	local -a files=() marks=()

	for type in FILE_PATH_CHANGES COMMIT_MESSAGE MACRO_ARG_REUSE \
		    MACRO_ARG_PRECEDENCE SPLIT_STRING LONG_LINE_COMMENT \
		    LINUX_VERSION_CODE CONSTANT_COMPARISON BIT_MACRO \
		    UNCOMMENTED_DEFINITION; do
		command+=(--ignore "$type")
	done
	all=$(printf '%s\n' "${command[@]}"
	      cat "$dir"/{checkpatch.pl,spelling.txt,const_structs.checkpatch} |
	      sha256sum)
	while IFS= read -r file; do
		mark=$(printf '%s\n' "$all" "$file" | cat - "$file" |
			passed checkpatch)
		if ! remembered "$mark"; then
			files+=("$file")
			marks+=("$mark")
		fi
	done < <(files 'module/*.[ch]' 'uapi/*.h' ':!*/mksizeclasses.c' \
		':!module/dev/trace.h' | on_files printf '%s\n')
	[[ ${#files[@]} -gt 0 ]] || return 0
	printf '%s\0' "${files[@]}" |
		xargs -0 -n 4 -P "$JOBS" "${command[@]}" -f
	touch "${marks[@]}"
}

check_kernel_doc()
{
	files 'module/*.[ch]' 'uapi/*.h' |
	on_files perl "$SOURCE/scripts/kernel-doc" -none -Werror
}

check_clang_format()
{
	files 'userlib/*.[ch]' 'userlib/*.[ch]pp' |
	on_files clang-format-14 --dry-run -Werror --style=file
}

check_spelling()
{
	files | grep -v '^LICENSES/' |
	on_files codespell --ignore-words-list=iput,mut,mis,nd,ser,ue
}

check_shell()
{
	{ files 'scripts/*.sh' 'userlib/*.sh' .ci/run; } | on_files shellcheck -x &&
	files selftests/qemu/init selftests/qemu/demo selftests/qemu/cache \
		selftests/bench/guest/compare |
	on_files shellcheck --shell=dash
}

check_spdx()
{
	local file bad=0

	while IFS= read -r file; do
		head -n 2 "$file" | grep -q 'SPDX-License-Identifier: ' && continue
		echo "$file: no SPDX line"
		bad=1
	done < <(files | grep -v '^LICENSES/')
	return "$bad"
}

# What is made of results of benchmarks; gnuplot draws for it.
check_report()
{
	cd selftests/bench
	python3 -B -m unittest report.test
}

# Sphinx, and what the documents show of the sources.
check_documentation()
{
	make -s -C Documentation O="$BUILD/docs" KERNEL_SOURCE="$SOURCE" check
}

# Documentation/model, each of its rules taken away in turn.
check_model()
{
	local mark

	mark=$(cat scripts/model.sh Documentation/model/*.pml \
		<(spin -V; gcc --version) | passed model)
	remembered "$mark" && return
	scripts/model.sh
	touch "$mark"
}

# run_check NAME: leaves "ok" or "not ok" in its result file
run_check()
{
	local check=$1 log=$LOGS/check-$1.log start=$SECONDS status

	# Not in an `if`: there set -e would not hold inside the check.
	set +e
	(set -e; "check_$check") > "$log" 2>&1
	status=$?
	set -e
	if [[ $status -eq 0 ]]; then
		say "$check: ok, $((SECONDS - start)) s"
		echo ok
	else
		say "$check: FAILED, the end of $log:"
		tail -n 30 "$log" >&2
		echo "not ok"
	fi > "$LOGS/check-$check.result"
}

find "$PASSED" -type f -mtime +30 -delete
find_kernel stock
SOURCE=$("$TOP/scripts/kernel.sh" source)

# Those of one line in their order, since they use one build; lines side by side.
lanes=("build sparse imports"
       "checkpatch kernel_doc clang_format spelling shell spdx report documentation"
       "model")
checks=("$@")
if [[ ${#checks[@]} -eq 0 ]]; then
	read -r -a checks <<< "${lanes[*]}"
fi
for check in "${checks[@]}"; do
	[[ " ${lanes[*]} " == *" $check "* ]] || die "there is no check $check"
	rm -f "$LOGS/check-$check.result"
done

for lane in "${lanes[@]}"; do
	for check in $lane; do
		if [[ " ${checks[*]} " == *" $check "* ]]; then
			run_check "$check"
		fi
	done &
done
wait

nr=0
{
	printf '# suite begin static checks\n1..%d\n' "${#checks[@]}"
	for check in "${checks[@]}"; do
		nr=$((nr + 1))
		result=$(cat "$LOGS/check-$check.result" || echo "not ok")
		printf '%s %d - %s' "$result" "$nr" "$check"
		[[ $result == ok ]] || printf '; see %s' "$LOGS/check-$check.log"
		printf '\n'
	done
	printf '# suite end static checks status 0 seconds %s\n' "$SECONDS"
} > "$TAP"

"$TOP/scripts/tap.sh" "$TAP"
