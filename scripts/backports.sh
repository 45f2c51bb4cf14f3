# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Packages of Debian's backports suites, for scripts that need something newer
# than the machine has. Sourced after lib.sh, never run.
#
# They come from the archive that the machine's own apt uses, through an apt
# state of our own in the cache folder: the machine's configuration and lists
# are only read. Nothing is installed, packages are only unpacked.

APT_STATE=$CACHE/apt

APT=(-o "Dir::Etc::SourceList=$APT_STATE/sources.list"
     -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$APT_STATE/lists"
     -o "Dir::State::Status=$APT_STATE/status"
     -o "Dir::Cache=$APT_STATE/cache" -o APT::Sandbox::User=root
     -o Acquire::Languages=none -o APT::Get::List-Cleanup=true -qq)

# Write a sources.list with the suites we need at every place where the
# machine finds Debian's main section.
prepare_apt()
{
	local uri suite component codename
	local keyring=/usr/share/keyrings/debian-archive-keyring.gpg

	mkdir -p "$APT_STATE"/{lists/partial,cache/archives/partial}
	: > "$APT_STATE/status"
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' |
	while read -r uri suite component; do
		# The main suite only: updates and security lie elsewhere.
		[[ $suite == bookworm && $component == main ]] || continue
		for codename in bookworm trixie; do
			printf 'deb [signed-by=%s] %s %s-backports main\n' \
				"$keyring" "$uri" "$codename"
		done
	done | sort -u > "$APT_STATE/sources.new"
	cmp -s "$APT_STATE/sources.new" "$APT_STATE/sources.list" ||
		mv "$APT_STATE/sources.new" "$APT_STATE/sources.list"
	[[ -s $APT_STATE/sources.list ]] ||
		die "the machine's apt has no bookworm main section to start from"

	# Once a day is often enough.
	if [[ ! $(find "$APT_STATE/updated" -newer "$APT_STATE/sources.list" \
		-mtime -1 2>/dev/null) ]]; then
		say "reading the lists of the backports suites"
		apt-get "${APT[@]}" update >&2 || die "apt-get update failed"
		touch "$APT_STATE/updated"
	fi
}

# field PACKAGE SUITE FIELD: from the package's entry in that suite
field()
{
	apt-cache "${APT[@]}" -t "$2" show --no-all-versions "$1" |
		sed -n "s/^$3: //p" | head -n 1
}

# fetch SUITE FOLDER PACKAGE...: unpack packages below FOLDER
fetch()
{
	local suite=$1 folder=$2 deb

	shift 2
	mkdir -p "$folder/debs"
	(cd "$folder/debs" && apt-get "${APT[@]}" -t "$suite" download "$@" >&2)
	for deb in "$folder"/debs/*.deb; do
		dpkg -x "$deb" "$folder"
	done
	rm -rf "$folder/debs"
}
