//! Processes that are measured.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// A program that was built beside this one, in the same profile.
pub fn built(package: &str) -> PathBuf {
    let program = std::env::current_exe().expect("a running program has a path");
    let path = program.with_file_name(package);
    assert!(
        path.exists(),
        "{} is missing: see the Makefile for what builds it",
        path.display()
    );
    path
}

/// Returns the processor time of the running threads of a process.
pub fn cpu_time(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs");
    let nanoseconds = threads.flatten().filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// Returns the memory that a process has now, in bytes.
pub fn resident_memory(pid: u32) -> u64 {
    memory(pid, "VmRSS:")
}

/// Returns the largest memory that a process has had, in bytes.
pub fn peak_memory(pid: u32) -> u64 {
    memory(pid, "VmHWM:")
}

fn memory(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.expect("Linux says how much memory a process has") * 1_024
}
