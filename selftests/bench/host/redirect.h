/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Given to the compiler in front of each file of the library: system calls go
 * to the host device. The system's headers are read before, so that their own
 * declarations stay what they are.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host.h"

#define open	host_open
#define close	host_close
#define ioctl	host_ioctl
#define mmap	host_mmap
#define munmap	host_munmap
#define madvise	host_madvise
