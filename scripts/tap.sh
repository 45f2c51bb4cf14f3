#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Add up TAP logs: a line per suite, the details of what failed, and as the
# last line "N passed, N failed, N skipped". Fails unless something passed and
# nothing failed.
#
#   tap.sh [-q] LOG...      -q: only what failed, and the last line
#
# A log is cut into suites by "# suite begin NAME" and "# suite end NAME status
# N", or "... status N seconds N". Inside may stand the output of
# kselftest_harness.h, of KUnit (nested by indentation; only the leaves are
# counted) or of any other TAP producer. These count as failures too: a suite
# without any result, one that does not end, one that ends badly without a
# failed test, and results that a plan promised and that did not come.
#
# With what failed go the comments in front of it, which say why: whoever reads
# this may not have the logs.

set -euo pipefail

quiet=0
if [[ ${1:-} == -q ]]; then
	quiet=1
	shift
fi
[[ $# -ge 1 ]] || { echo "usage: tap.sh [-q] LOG..." >&2; exit 1; }

for log; do
	if [[ ! -f $log ]]; then
		printf '# suite begin missing log %s\n' "$log"
		continue
	fi
	printf '# log %s\n' "$(basename "$log" .tap)"
	# A guest that dies in the middle of a line must not hide the next log.
	tr -d '\r\0' < "$log"
	echo
done | awk -v quiet="$quiet" '
function fail(text)
{
	failed++
	suite_failed++
	details = details "    " text "\n" comments
	comments = ""
	lines = 0
}

# The first are kept: what fails later often follows from them.
function comment(text)
{
	if (text ~ /^ *# +RUN /)
		comments = lines = ""
	else if (text !~ /^ *# (Subtest: | +FAIL )/ && lines++ < 8)
		comments = comments "        " substr(text, 1, 200) "\n"
}

# Compare the plan at an indentation with the results seen there.
function close_plan(d)
{
	if (d in plan && plan[d] != seen[d] + 0)
		fail("planned " plan[d] " results, got " seen[d] + 0)
	delete plan[d]
	delete seen[d]
}

function begin_suite(name)
{
	end_suite("")
	suite = name
	in_suite = 1
	suite_passed = suite_failed = suite_skipped = fresh = last = 0
	details = comments = lines = ""
	delete plan
	delete seen
}

function end_suite(status, seconds,    d)
{
	if (!in_suite)
		return
	for (d in plan)
		close_plan(d)
	if (status == "")
		fail("the suite did not end")
	else if (status == 4 && suite_skipped && !suite_failed)
		;	# how a kselftest says that all of it was skipped
	else if (status != 0 && !suite_failed)
		fail("ended with status " status)
	if (suite_passed + suite_failed + suite_skipped == 0)
		fail("no test results")
	if (!quiet || suite_failed) {
		printf "%-52s %5d passed %4d failed %4d skipped%s\n", \
			log_name ": " suite, suite_passed, suite_failed, suite_skipped, \
			seconds == "" ? "" : sprintf(" %4d s", seconds)
		printf "%s", details
	}
	in_suite = 0
}

/^# log / {
	end_suite("")
	log_name = substr($0, 7)
	next
}

/^# suite begin / {
	begin_suite(substr($0, 15))
	next
}

/^# suite end / {
	if ($(NF - 1) == "seconds")
		end_suite($(NF - 2), $NF)
	else
		end_suite($NF)
	next
}

!in_suite { next }

/^ *# / {
	comment($0)
	next
}

/^ *1\.\.[0-9]+/ {
	match($0, /^ */)
	d = RLENGTH
	if (d in plan)
		close_plan(d)	# the next stream in the same suite
	plan[d] = substr($0, d + 4) + 0
	if ($0 ~ /^1\.\.0.*SKIP/) {
		skipped++	# the whole program
		suite_skipped++
	}
	if (d in seen)
		close_plan(d)	# a plan that follows its results
	next
}

/^ *(not )?ok [0-9]+/ {
	match($0, /^ */)
	d = RLENGTH
	bad = ($0 ~ /^ *not ok/)
	seen[d]++
	if (d < last) {
		# Closes a nested stream: its results are counted already.
		close_plan(last)
		last = d
		if (bad && !fresh)
			fail($0)
	} else {
		last = d
		if ($0 ~ /# *SKIP/) {
			skipped++
			suite_skipped++
		} else if (bad) {
			fail($0)
			fresh = 1
		} else {
			passed++
			suite_passed++
		}
	}
	comments = lines = ""
	if (d == 0)
		fresh = 0
}

END {
	end_suite("")
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
	exit(failed > 0 || passed == 0)
}'
