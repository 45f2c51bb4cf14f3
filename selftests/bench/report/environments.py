# SPDX-License-Identifier: GPL-2.0
"""
Where figures come from, and what they can say and cannot.
"""

from typing import NamedTuple


class Environment(NamedTuple):
    """Words for people."""

    title: str
    says: str
    cannot: str


ENVIRONMENTS = {
    "host": Environment(
        "the core in one process, on this machine",
        "How fast the code of the allocator and of the collector is, natively: "
        "library and core as they are, and each entry of the kernel paid for with a "
        "real system call. Peers run on the same machine in the same rounds.",
        "Page faults of the module are not in it, nor the copying of arguments. "
        "The collector is a thread of the process, which reads the others by "
        "signals: how long programs wait is like in the module, not the same."),
    "core": Environment(
        "the core alone, on this machine",
        "How fast the core allocates, marks and sweeps natively, in heaps of up to "
        "64 GiB of addresses.",
        "There is no kernel in it: no system call, no page fault, no other thread "
        "unless a line says so. There are no peers, and a line is the median of "
        "some runs in one process."),
    "uml": Environment(
        "the module in User-mode Linux",
        "How long stops and the reading of threads take: the whole module with "
        "native code and real threads on two processors. How much memory one heap "
        "of several processes takes, beside a heap for each.",
        "System calls and page faults cost tens of times what they cost on a real "
        "kernel, and threads of one process take turns: who enters the kernel "
        "often looks slower than it is. What waits for a processor waits for those "
        "of the machine outside as well. CPU time is counted in ticks of 10 ms."),
    "tcg": Environment(
        "the module in an emulated machine (QEMU TCG)",
        "How calls and page faults relate to computing, in a stock kernel "
        "with the whole module, the library and the collector's thread; how many "
        "of each there are. How much memory one heap of several processes takes.",
        "Every instruction costs many times what it costs natively, and not "
        "equally: a page fault takes as long as thousands of them. Times mean "
        "nothing outside of this table, and ratios shift toward those who "
        "compute little."),
    "kvm": Environment(
        "the module in a virtual machine (KVM)",
        "What programs get from the module in a stock kernel at the machine's own "
        "speed: all of it is real but the devices.",
        "A page that is touched for the first time costs more than on bare metal, "
        "because the host has page tables as well."),
}


def title(name):
    """What to call it."""
    return ENVIRONMENTS[name].title
