//! The gate from outside: real sockets in front of an upstream that remembers what reached it.

#[path = "gate/world.rs"]
mod world;

#[path = "gate/answers.rs"]
mod answers;
