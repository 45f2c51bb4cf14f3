// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A shared object with PLUGIN_BYTES of variables.
 */
#include "plugin.h"

#define WORDS (PLUGIN_BYTES / sizeof(goheap_ref))

static goheap_ref data[PLUGIN_REFS] = { 1 };
static goheap_ref bss[WORDS];
static __thread goheap_ref thread_local_refs[PLUGIN_REFS];

struct plugin plugin_variables(void)
{
	return (struct plugin){ data, bss, &bss[WORDS - PLUGIN_REFS] };
}

goheap_ref *plugin_thread_local(void)
{
	return thread_local_refs;
}
