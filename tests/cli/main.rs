//! The harness end to end, through its binary: what a person sees, and what stays on disk.

mod augmented;
mod bad_input;
mod c_plugins;
mod compare;
mod damage;
mod determinism;
mod devices;
mod interrupt;
mod new;
mod plugins;
mod recorded;
mod report;
mod resume;
mod samplers;
mod statuses;
mod unloadable;
mod validate;
mod verbs;
