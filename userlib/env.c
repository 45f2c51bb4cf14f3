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

/* Keys of GODEBUG; a larger number than max counts as max, as in Go. */
static const struct key {
	const char *name;
	unsigned int param;
	uint64_t max;
} keys[] = {
	{ "clobberfree", GOHEAP_PARAM_CLOBBERFREE, 1 },
	{ "gccheckmark", GOHEAP_PARAM_GCCHECKMARK, 1 },
	{ "gcpacertrace", GOHEAP_PARAM_GCPACERTRACE, 1 },
	{ "gcperiod", GOHEAP_PARAM_GCPERIOD, INT32_MAX },
	{ "gcstoptheworld", GOHEAP_PARAM_GCSTOPTHEWORLD, 2 },
	{ "gcstress", GOHEAP_PARAM_GCSTRESS, INT32_MAX },
	{ "gctrace", GOHEAP_PARAM_GCTRACE, 2 },
	{ "gcverify", GOHEAP_PARAM_GCVERIFY, 1 },
	{ "invalidptr", GOHEAP_PARAM_INVALIDPTR, 1 },
	{ "madvdontneed", GOHEAP_PARAM_MADVDONTNEED, 1 },
	{ "scavtrace", GOHEAP_PARAM_SCAVTRACE, 1 },
};

static const struct key *find_key(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strlen(keys[i].name) == length &&
		    !memcmp(keys[i].name, name, length))
			return &keys[i];
	return NULL;
}

/* One key=value of GODEBUG; false if the value is not one of the key's. */
static bool parse_setting(const char *setting, size_t length,
			  struct gh_debug *debug)
{
	const char *equals = memchr(setting, '=', length);
	const struct key *key;
	const char *digits;
	uint64_t value;

	key = equals ? find_key(setting, (size_t)(equals - setting)) : NULL;
	if (!key)
		return true;
	digits = equals + 1;
	if (!parse_digits(&digits, INT32_MAX, &value) ||
	    digits != setting + length)
		return false;
	if (value > key->max)
		value = key->max;
	/* The library writes that itself, to standard error. */
	if (key->param == GOHEAP_PARAM_GCTRACE)
		debug->gctrace = (int)value;
	else
		debug->params[key->param] = (int64_t)value;
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

/* As without GODEBUG. */
void gh_debug_init(struct gh_debug *debug)
{
	debug->gctrace = 0;
	for (size_t i = 0; i < GH_NR_PARAMS; i++)
		debug->params[i] = -1;
}

void gh_env_debug(struct gh_debug *debug)
{
	static bool warned;
	const char *text = get("GODEBUG");

	gh_debug_init(debug);
	if (text && !gh_parse_debug(text, debug))
		refuse(&warned, "GODEBUG", text, "values are numbers");
}
