// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The environment.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "tap.h"

#define MIB (1LL << 20)
#define TIB (1LL << 40)

static int64_t gogc(const char *text)
{
	int64_t percent = 0;

	return gh_parse_gogc(text, &percent) ? percent : -1000;
}

void test_gogc(void)
{
	EXPECT(gogc("100") == 100);
	EXPECT(gogc("0") == 0);
	EXPECT(gogc("-0") == 0);
	EXPECT(gogc("off") == -1);
	EXPECT(gogc("-1") == -1);
	EXPECT(gogc("-50") == -1);
	EXPECT(gogc("2147483647") == INT32_MAX);
	EXPECT(gogc("2147483648") == -1000);
	EXPECT(gogc("99999999999999999999") == -1000);
	EXPECT(gogc("") == -1000);
	EXPECT(gogc("-") == -1000);
	EXPECT(gogc("--5") == -1000);
	EXPECT(gogc("+5") == -1000);
	EXPECT(gogc("100%") == -1000);
	EXPECT(gogc(" 100") == -1000);
	EXPECT(gogc("OFF") == -1000);
}

static int64_t size(const char *text)
{
	int64_t bytes = 0;

	return gh_parse_size(text, &bytes) ? bytes : -1;
}

void test_size(void)
{
	EXPECT(size("0") == 0);
	EXPECT(size("4096") == 4096);
	EXPECT(size("4096B") == 4096);
	EXPECT(size("3KiB") == 3072);
	EXPECT(size("512MiB") == 512 * MIB);
	EXPECT(size("2GiB") == 2048 * MIB);
	EXPECT(size("1TiB") == TIB);
	EXPECT(size("off") == INT64_MAX);
	EXPECT(size("9223372036854775807") == INT64_MAX);
	EXPECT(size("9223372036854775808") == -1);
	EXPECT(size("8388607TiB") == 8388607 * TIB);
	EXPECT(size("8388608TiB") == -1);
	EXPECT(size("18446744073709551616") == -1);
	EXPECT(size("") == -1);
	EXPECT(size("MiB") == -1);
	EXPECT(size("-1") == -1);
	EXPECT(size("1MB") == -1);
	EXPECT(size("1mib") == -1);
	EXPECT(size("1 MiB") == -1);
	EXPECT(size("1.5GiB") == -1);
	EXPECT(size("1MiB ") == -1);
}

static struct gh_debug debug;

/* Whether all values were good; the answer is in debug. */
static bool parse(const char *text)
{
	gh_debug_init(&debug);
	return gh_parse_debug(text, &debug);
}

static int64_t param(unsigned int id)
{
	return debug.params[id];
}

static void test_debug_keys(void)
{
	EXPECT(parse("gcpacertrace=1,gcstoptheworld=2,gccheckmark=1"));
	EXPECT(param(GOHEAP_PARAM_GCPACERTRACE) == 1);
	EXPECT(param(GOHEAP_PARAM_GCSTOPTHEWORLD) == 2);
	EXPECT(param(GOHEAP_PARAM_GCCHECKMARK) == 1);
	EXPECT(param(GOHEAP_PARAM_CLOBBERFREE) == -1);
	EXPECT(parse("clobberfree=1,gcstress=40,gcverify=5,gcperiod=1000"));
	EXPECT(param(GOHEAP_PARAM_CLOBBERFREE) == 1);
	EXPECT(param(GOHEAP_PARAM_GCSTRESS) == 40);
	EXPECT(param(GOHEAP_PARAM_GCVERIFY) == 1);
	EXPECT(param(GOHEAP_PARAM_GCPERIOD) == 1000);
	EXPECT(parse("gcstoptheworld=9") &&
	       param(GOHEAP_PARAM_GCSTOPTHEWORLD) == 2);
	/* Those have variables of their own. */
	EXPECT(parse("gogc=5") && param(GOHEAP_PARAM_GC_PERCENT) == -1);
	EXPECT(!parse("gcstress=-1") && param(GOHEAP_PARAM_GCSTRESS) == -1);
	EXPECT(!parse("gccheckmark=on,gcverify=1") &&
	       param(GOHEAP_PARAM_GCCHECKMARK) == -1 &&
	       param(GOHEAP_PARAM_GCVERIFY) == 1);
}

void test_debug(void)
{
	EXPECT(parse("") && debug.gctrace == 0 &&
	       param(GOHEAP_PARAM_INVALIDPTR) == -1);
	EXPECT(parse("gctrace=1") && debug.gctrace == 1);
	EXPECT(parse("gctrace=2") && debug.gctrace == 2);
	EXPECT(parse("gctrace=3") && debug.gctrace == 2);
	EXPECT(parse("gctrace=1,gctrace=0") && debug.gctrace == 0);
	EXPECT(parse("cgocheck=1,gctrace=1,x=y") && debug.gctrace == 1);
	EXPECT(parse("gctrace=1") && param(GOHEAP_PARAM_SCAVTRACE) == -1 &&
	       param(GOHEAP_PARAM_MADVDONTNEED) == -1);
	EXPECT(parse("scavtrace=1,madvdontneed=0") &&
	       param(GOHEAP_PARAM_SCAVTRACE) == 1 &&
	       param(GOHEAP_PARAM_MADVDONTNEED) == 0 && debug.gctrace == 0);
	EXPECT(parse("invalidptr=0,gctrace=1") &&
	       param(GOHEAP_PARAM_INVALIDPTR) == 0 && debug.gctrace == 1);
	EXPECT(parse("gctrace") && debug.gctrace == 0);
	EXPECT(parse(",,gctrace=1,") && debug.gctrace == 1);
	EXPECT(parse("gctrac=1,xgctrace=1,gctracex=1") && debug.gctrace == 0);
	EXPECT(!parse("gctrace=yes") && debug.gctrace == 0);
	EXPECT(!parse("gctrace=") && debug.gctrace == 0);
	EXPECT(!parse("gctrace=1x") && debug.gctrace == 0);
	EXPECT(!parse("gctrace=no,invalidptr=1") &&
	       param(GOHEAP_PARAM_INVALIDPTR) == 1);
	test_debug_keys();
}

void test_env_warns_once(void)
{
	static const char warnings[] =
		"goheap: GOGC=many ignored: expected a number or \"off\"\n"
		"goheap: GOMEMLIMIT=1GB ignored: expected bytes, with B, KiB, "
		"MiB, GiB or TiB, or \"off\"\n"
		"goheap: GODEBUG=gctrace=on,invalidptr=0 ignored: values are "
		"numbers\n";
	int saved = dup(STDERR_FILENO);
	char text[512];
	ssize_t length;
	int64_t value;
	int pipes[2];

	EXPECT(!pipe(pipes));
	dup2(pipes[1], STDERR_FILENO);
	setenv("GOGC", "many", 1);
	EXPECT(!gh_env_gogc(&value));
	EXPECT(!gh_env_gogc(&value));
	setenv("GOGC", "", 1);
	EXPECT(!gh_env_gogc(&value));
	setenv("GOGC", "50", 1);
	EXPECT(gh_env_gogc(&value) && value == 50);
	setenv("GOMEMLIMIT", "1GB", 1);
	EXPECT(!gh_env_memlimit(&value));
	setenv("GODEBUG", "gctrace=on,invalidptr=0", 1);
	gh_env_debug(&debug);
	EXPECT(debug.gctrace == 0 && param(GOHEAP_PARAM_INVALIDPTR) == 0);
	gh_env_debug(&debug);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(pipes[1]);
	length = read(pipes[0], text, sizeof(text) - 1);
	close(pipes[0]);
	text[length > 0 ? length : 0] = 0;
	EXPECT(!strcmp(text, warnings));
}
