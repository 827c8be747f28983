//! What of the kernel's own files and objects a container does not have.

use std::collections::HashMap;

/// Docker's own list, what tells a program of those before it or beside it or of how the host was started, and
/// pseudo-terminals, of which the whole host has only so many.
pub(super) const MASKED_PATHS: &[&str] = &[
    "/dev/pts",
    "/proc/acpi",
    "/proc/asound",
    "/proc/bootconfig",
    "/proc/cmdline",
    "/proc/config.gz",
    "/proc/diskstats",
    "/proc/interrupts",
    "/proc/iomem",
    "/proc/ioports",
    "/proc/kallsyms",
    "/proc/kcore",
    "/proc/key-users",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/loadavg",
    "/proc/locks",
    "/proc/mdstat",
    "/proc/modules",
    "/proc/partitions",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/swaps",
    "/proc/sysvipc",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys",
];

/// What can be read and not written.
pub(super) const READONLY_PATHS: &[&str] =
    &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// No System V objects and no message queues: they would outlive the program that made them.
pub(super) fn sysctls() -> HashMap<String, String> {
    [("kernel.shmmni", "0"), ("kernel.msgmni", "0"), ("kernel.sem", "0 0 0 0"), ("fs.mqueue.queues_max", "0")]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
