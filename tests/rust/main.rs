//! What has to be measured in a process of its own.

mod dump_memory;
