#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Kernels to build against and to boot. Everything is made once and kept in the
# cache folder, outside the tree; the answer is one line on stdout.
#
#   kernel.sh stock    "VMLINUZ HEADERS": Debian's cloud kernel of exactly the
#                      version of the installed headers
#   kernel.sh debug    "BZIMAGE BUILDDIR": the kernel of selftests/qemu/debug.config
#   kernel.sh source   SOURCEDIR: the unpacked kernel source (checkpatch, kselftest)
#   kernel.sh headers  BUILDDIR: what `make` builds against, that is the running
#                      kernel's headers if installed, else those of `stock`

set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

# A folder inside the cache, so that the finished work is put in place by one
# rename; gone when the script ends early.
new_tmp()
{
	mkdir -p "$CACHE"
	TMP=$(mktemp -d "$CACHE/tmp.XXXXXX")
	chmod 755 "$TMP"
	trap 'rm -rf "$TMP"' EXIT
}

# Newest installed header package of the flavour we test.
stock_headers()
{
	local dir

	dir=$(printf '%s\n' /usr/src/linux-headers-6.1.*-cloud-amd64 | sort -V | tail -n 1)
	[[ -f $dir/Makefile ]] ||
		die "no 6.1 cloud headers found; run scripts/deps.sh run"
	printf '%s\n' "$dir"
}

stock()
{
	local headers release version dir

	headers=$(stock_headers)
	release=${headers#/usr/src/linux-headers-}
	version=$(package_version "linux-headers-$release") ||
		die "package linux-headers-$release is not installed"
	dir=$CACHE/stock-$release-$version
	if [[ ! -f $dir/vmlinuz ]]; then
		lock_cache stock
	fi
	if [[ ! -f $dir/vmlinuz ]]; then
		say "fetching linux-image-$release $version"
		new_tmp
		# Downloading as another user than root would need a folder that
		# this user may write to.
		(cd "$TMP" && apt-get -qq -o APT::Sandbox::User=root download \
			"linux-image-$release=$version" >&2) ||
			die "cannot fetch linux-image-$release=$version; upgrade the" \
			    "headers with: apt-get install linux-headers-cloud-amd64"
		dpkg -x "$TMP"/*.deb "$TMP/root"
		mkdir "$TMP/done"
		mv "$TMP/root/boot/vmlinuz-$release" "$TMP/done/vmlinuz"
		mv "$TMP/root/boot/config-$release" "$TMP/done/config"
		mv -T "$TMP/done" "$dir"
		rm -rf "$TMP"
	fi
	printf '%s %s\n' "$dir/vmlinuz" "$headers"
}

source_tree()
{
	local version dir

	version=$(package_version "$SOURCE_PACKAGE") ||
		die "package $SOURCE_PACKAGE is not installed; run scripts/deps.sh test"
	dir=$CACHE/source-$version
	if [[ ! -d $dir ]]; then
		lock_cache source
	fi
	if [[ ! -d $dir ]]; then
		say "unpacking $SOURCE_PACKAGE $version"
		new_tmp
		tar -C "$TMP" --strip-components=1 \
			-xf "/usr/src/$SOURCE_PACKAGE.tar.xz"
		mv -T "$TMP" "$dir"
	fi
	printf '%s\n' "$dir"
}

debug()
{
	local version hash dir src log

	version=$(package_version "$SOURCE_PACKAGE") ||
		die "package $SOURCE_PACKAGE is not installed; run scripts/deps.sh test"
	hash=$(sha256sum < "$TOP/selftests/qemu/debug.config" | cut -c 1-12)
	dir=$CACHE/debug-$version-$hash
	if [[ ! -f $dir/arch/x86/boot/bzImage ]]; then
		src=$(source_tree)
		lock_cache debug
	fi
	if [[ ! -f $dir/arch/x86/boot/bzImage ]]; then
		say "building the debug kernel, once; about 5 minutes on two cores"
		new_tmp
		log=$CACHE/debug-build.log
		build_debug "$src" "$TMP" "$log" ||
			die "building the debug kernel failed, see $log"
		mv -T "$TMP" "$dir"
	fi
	printf '%s %s\n' "$dir/arch/x86/boot/bzImage" "$dir"
}

build_debug()
{
	local src=$1 out=$2 log=$3 line want bad='' n=0

	{
		make -C "$src" O="$out" tinyconfig &&
		"$src/scripts/kconfig/merge_config.sh" -m -O "$out" \
			"$out/.config" "$TOP/selftests/qemu/debug.config" &&
		make -C "$src" O="$out" olddefconfig
	} > "$log" 2>&1 || return 1

	# An option with a missing dependency is dropped in silence.
	while read -r line; do
		want=$line
		if ! grep -qxF -- "$want" "$out/.config" &&
		   ! { [[ $want == "# CONFIG_"* ]] &&
		       ! grep -q "^${want:2:-11}=" "$out/.config"; }; then
			say "debug.config: not taken over: $want"
			bad=1
		fi
	done < <(grep -E '^CONFIG_|^# CONFIG_.* is not set$' \
			"$TOP/selftests/qemu/debug.config")
	[[ -z $bad ]] || return 1

	# `modules` only for Module.symvers, which external modules need.
	make -C "$src" O="$out" -j "$JOBS" bzImage modules 2>> "$log" |
	while read -r line; do
		printf '%s\n' "$line" >> "$log"
		n=$((n + 1))
		((n % 250)) || say "  $n steps: ${line:0:60}"
	done || return 1

	# Keep what external modules, addr2line and a debugger need.
	find "$out" \( -path "$out/scripts" -o -path "$out/tools" \) -prune -o \
		-type f \( -name '*.o' -o -name '*.a' -o -name '.*.cmd' \
		-o -name 'vmlinux.*' -o -name '.tmp_*' \) \
		! -name vmlinux.symvers -exec rm -f {} +
}

headers()
{
	local dir

	dir=/lib/modules/$(uname -r)/build
	if [[ -f $dir/Makefile ]]; then
		printf '%s\n' "$dir"
	else
		stock_headers
	fi
}

case ${1:-} in
stock)		stock ;;
debug)		debug ;;
source)		source_tree ;;
headers)	headers ;;
*)		die "usage: kernel.sh stock|debug|source|headers" ;;
esac
