/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a test of dlopen() loads: shared objects with variables, and nothing that
 * knows of a heap.
 */
#ifndef GOHEAP_TESTS_PLUGIN_H
#define GOHEAP_TESTS_PLUGIN_H

#include <libgoheap.h>

#define PLUGIN_REFS 100

/**
 * struct plugin - the variables of a shared object
 * @data: initialised
 * @bss: not initialised; at the end of the object
 * @refs: the last ones of @bss
 */
struct plugin {
	goheap_ref *data;
	goheap_ref *bss;
	goheap_ref *refs;
};

struct plugin plugin_variables(void);
goheap_ref *plugin_thread_local(void);

#endif /* GOHEAP_TESTS_PLUGIN_H */
