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
mkdir -p "$LOGS"
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
	local ko deny bad

	ko=$(scripts/module.sh "$KERNEL_DIR" 2>/dev/null) || return 1
	deny=$(grep -v '^#' scripts/imports.deny)
	bad=$(nm -u "$ko" | awk '{ print $2 }' | grep -xE "$deny") || return 0
	printf 'exported by Debian only: %s\n' "$bad"
	return 1
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
	files 'module/*.[ch]' 'uapi/*.h' ':!*/mksizeclasses.c' \
		':!module/dev/trace.h' |
	on_files perl "$SOURCE/scripts/checkpatch.pl" --no-tree --strict --terse \
		--no-summary --show-types --ignore FILE_PATH_CHANGES \
		--ignore COMMIT_MESSAGE --ignore MACRO_ARG_REUSE \
		--ignore MACRO_ARG_PRECEDENCE --ignore SPLIT_STRING \
		--ignore LONG_LINE_COMMENT --ignore LINUX_VERSION_CODE \
		--ignore CONSTANT_COMPARISON \
		--ignore BIT_MACRO --ignore UNCOMMENTED_DEFINITION -f
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
	scripts/model.sh
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
