//! What one expression may use. kube-apiserver's own limits, and two of ours where it has none.

/// UPSTREAM: cel-go refuses longer expressions, counted in code points (kube-apiserver 1.36).
pub const MAX_CODE_POINTS: usize = 100_000;

/// UPSTREAM: cel-go's parser refuses longer chains of one operator (kube-apiserver 1.36).
pub const MAX_CHAIN: u16 = 250;

/// How deep parentheses, brackets and calls may lie in each other. cel-go allows 250; ours keeps reading
/// within a thread's stack in every profile, and no expression that a person wrote comes near.
pub const MAX_NESTING: u16 = 150;

/// How deep the tree may be once macros are expanded. cel-go has no such limit; ours keeps every walk
/// over a tree within a thread's stack.
pub const MAX_TREE_DEPTH: u16 = 300;

/// UPSTREAM: run-time cost of one evaluation, `PerCallLimit` (kube-apiserver 1.36).
pub const MAX_COST: u64 = 1_000_000;

/// How many parts the tree may have once macros are expanded: `optMap` repeats what it is called on, so
/// that a chain of it doubles with every link.
pub const MAX_NODES: u32 = 200_000;

/// Steps of one evaluation: a part that is run, an item or 16 bytes of a value that are looked at, a step of
/// a regular expression. kube-apiserver has no such limit; its costs let some expressions run for hours.
pub const MAX_STEPS: u64 = 4_000_000;

/// Bytes that one evaluation may make, whether they are still held or not. kube-apiserver has no such limit:
/// the cost of a result is only charged when it is used next.
pub const MAX_MADE_BYTES: u64 = 40 << 20;

/// Size of the largest text or bytes an expression may make.
pub const MAX_TEXT_BYTES: usize = 16 << 20;
