# SPDX-License-Identifier: GPL-2.0
#
# Configuration of Sphinx. The Makefile runs it over a copy of this folder in
# which generated/ holds what it took from the sources.

project = 'goheap'
author = 'the goheap project'
copyright = author

exclude_patterns = ['generated']
highlight_language = 'none'
primary_domain = 'c'

html_theme = 'alabaster'
html_theme_options = {
    'description': 'a garbage-collected heap behind /dev/goheap',
    'fixed_sidebar': True,
}
html_sidebars = {'**': ['about.html', 'navigation.html', 'searchbox.html']}
html_copy_source = False
html_show_copyright = False

# Types of the C language and of the kernel's headers are described elsewhere.
nitpick_ignore = [('c:identifier', name) for name in (
    '__u8', '__u32', '__u64', '__s64', '__aligned_u64',
    'size_t', 'uint32_t', 'uint64_t', 'int64_t', 'uintptr_t')]
