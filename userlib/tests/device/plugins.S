/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The shared objects of plugin.c, as files that a program carries along.
 */
	.section .rodata
	.globl	plugin_small, plugin_small_end, plugin_large, plugin_large_end
plugin_small:
	.incbin	"plugin-small.so"
plugin_small_end:
plugin_large:
	.incbin	"plugin-large.so"
plugin_large_end:
	.section .note.GNU-stack, "", %progbits
