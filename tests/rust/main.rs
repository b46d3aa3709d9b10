//! What has to be measured in a process of its own.

#[cfg(target_os = "linux")]
mod dump_memory;
