#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Make sure that the Debian packages for a purpose are there: as root install
# what is missing, else say what to install and fail.
#
#   deps.sh build|run|cache|test|check|bench...

set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck disable=SC2034 # read through the name, below
{
build=(gcc g++ make libc6-dev kmod rsync linux-headers-cloud-amd64)
run=("${build[@]}" busybox-static cpio qemu-system-x86)
cache=("${run[@]}" gnuplot-nox)
kernel=(linux-source-6.1 bc bison flex libelf-dev libssl-dev perl xz-utils)
test=("${run[@]}" "${kernel[@]}" ccache clang-14 libclang-rt-14-dev)
check=("${build[@]}" git linux-source-6.1 xz-utils ccache sparse perl
       clang-format-14 codespell shellcheck python3-sphinx spin python3
       gnuplot-nox)
# User-mode Linux comes from a newer kernel source, which kernel.sh fetches.
bench=("${run[@]}" "${kernel[@]}" python3 libmimalloc2.0 libjemalloc2
       libtcmalloc-minimal4 libgc-dev gnuplot-nox)
}

[[ $# -ge 1 ]] || die "usage: deps.sh build|run|cache|test|check|bench..."
wanted=()
for group; do
	case $group in
	build|run|cache|test|check|bench) ;;
	*)	die "unknown group $group" ;;
	esac
	declare -n packages=$group
	wanted+=("${packages[@]}")
done

command -v dpkg-query > /dev/null ||
	die "not a Debian system; needed are the equivalents of: ${wanted[*]}"

# One query for all: a package that dpkg has never heard of gives no line.
declare -A installed
while read -r status package; do
	if [[ $status == ii* ]]; then
		installed[$package]=1
	fi
done < <(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "${wanted[@]}" 2>/dev/null)

missing=()
for package in "${wanted[@]}"; do
	if [[ ! ${installed[$package]:-} ]]; then
		missing+=("$package")
		installed[$package]=1	# name it once
	fi
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

if [[ $(id -u) -ne 0 ]]; then
	die "missing packages; install them with:
    sudo apt-get install --no-install-recommends ${missing[*]}"
fi

say "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive

install_missing()
{
	apt-get -qq -y -o Dpkg::Use-Pty=0 install --no-install-recommends \
		"${missing[@]}" < /dev/null >&2
}

# The package lists of a fresh or a long-unused machine are absent or stale.
install_missing || {
	say "trying again with fresh package lists"
	apt-get -qq update < /dev/null >&2
	install_missing || die "apt could not install: ${missing[*]}"
}
