//! Readings of the memory of this process.

/// Returns the memory that this process has now, in bytes.
pub(crate) fn resident() -> u64 {
    field("VmRSS:")
}

/// Returns the largest memory that this process has had, in bytes.
pub(crate) fn peak() -> u64 {
    field("VmHWM:")
}

fn field(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1_024
}
