// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The environment: GOGC, GOMEMLIMIT and GODEBUG as Go reads them, and
 * GOHEAP_DEVICE, the path of the device.
 *
 * The parsers are pure; a value that they refuse is ignored and mentioned on
 * stderr once in the life of the process. Programs that run with more rights
 * than their user has do not look at the environment.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* The digits at *text as a number; moves *text past them. */
static bool parse_digits(const char **text, uint64_t max, uint64_t *value)
{
	const char *p = *text;
	uint64_t sum = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		unsigned int digit = *p - '0';

		if (sum > (max - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	*text = p;
	*value = sum;
	return true;
}

/* GOGC: a number of percent or "off"; any negative number is off, -1. */
bool gh_parse_gogc(const char *text, int64_t *percent)
{
	uint64_t value;
	bool negative;

	if (!strcmp(text, "off")) {
		*percent = -1;
		return true;
	}
	negative = *text == '-';
	text += negative;
	if (!parse_digits(&text, INT32_MAX, &value) || *text)
		return false;
	*percent = negative && value ? -1 : (int64_t)value;
	return true;
}

/* Binary logarithm of the unit that text names, -1 for an unknown unit. */
static int unit_shift(const char *text)
{
	static const struct {
		const char *name;
		int shift;
	} units[] = {
		{ "", 0 },     { "B", 0 },    { "KiB", 10 },
		{ "MiB", 20 }, { "GiB", 30 }, { "TiB", 40 },
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(text, units[i].name))
			return units[i].shift;
	return -1;
}

/* GOMEMLIMIT: bytes with an optional unit, or "off", INT64_MAX. */
bool gh_parse_size(const char *text, int64_t *bytes)
{
	uint64_t value;
	int shift;

	if (!strcmp(text, "off")) {
		*bytes = INT64_MAX;
		return true;
	}
	if (!parse_digits(&text, INT64_MAX, &value))
		return false;
	shift = unit_shift(text);
	if (shift < 0 || value > (uint64_t)INT64_MAX >> shift)
		return false;
	*bytes = (int64_t)(value << shift);
	return true;
}

/* One key=value of GODEBUG; false if the value is not one of the key's. */
static bool parse_setting(const char *setting, size_t length,
			  struct gh_debug *debug)
{
	static const char *const keys[] = { "gctrace", "invalidptr",
					    "scavtrace", "madvdontneed" };
	int *const values[] = { &debug->gctrace, &debug->invalidptr,
				&debug->scavtrace, &debug->madvdontneed };
	const char *equals = memchr(setting, '=', length);
	const char *digits;
	uint64_t value;

	if (!equals)
		return true;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t key = strlen(keys[i]);

		if ((size_t)(equals - setting) != key ||
		    memcmp(setting, keys[i], key))
			continue;
		digits = equals + 1;
		if (!parse_digits(&digits, INT32_MAX, &value) ||
		    digits != setting + length)
			return false;
		*values[i] = value ? 1 : 0;
	}
	return true;
}

/*
 * GODEBUG: key=value, separated by commas; the last of equal keys counts and
 * unknown ones do not. False if a value was refused; the others are taken.
 */
bool gh_parse_debug(const char *text, struct gh_debug *debug)
{
	bool good = true;

	for (;;) {
		size_t length = strcspn(text, ",");

		if (!parse_setting(text, length, debug))
			good = false;
		if (!text[length])
			return good;
		text += length + 1;
	}
}

/* A variable of the environment, NULL if it is empty too. */
static const char *get(const char *name)
{
	const char *text = secure_getenv(name);

	return text && *text ? text : NULL;
}

static void refuse(bool *warned, const char *name, const char *text,
		   const char *wanted)
{
	if (!__atomic_exchange_n(warned, true, __ATOMIC_RELAXED))
		gh_warn("%s=%.80s ignored: %s", name, text, wanted);
}

const char *gh_env_device(void)
{
	const char *path = get("GOHEAP_DEVICE");

	return path ? path : GH_DEVICE;
}

bool gh_env_gogc(int64_t *percent)
{
	static bool warned;
	const char *text = get("GOGC");

	if (!text)
		return false;
	if (gh_parse_gogc(text, percent))
		return true;
	refuse(&warned, "GOGC", text, "expected a number or \"off\"");
	return false;
}

bool gh_env_memlimit(int64_t *bytes)
{
	static bool warned;
	const char *text = get("GOMEMLIMIT");

	if (!text)
		return false;
	if (gh_parse_size(text, bytes))
		return true;
	refuse(&warned, "GOMEMLIMIT", text,
	       "expected bytes, with B, KiB, MiB, GiB or TiB, or \"off\"");
	return false;
}

void gh_env_debug(struct gh_debug *debug)
{
	static bool warned;
	const char *text = get("GODEBUG");

	debug->gctrace = 0;
	debug->invalidptr = -1;
	debug->scavtrace = -1;
	debug->madvdontneed = -1;
	if (text && !gh_parse_debug(text, debug))
		refuse(&warned, "GODEBUG", text, "values are numbers");
}
