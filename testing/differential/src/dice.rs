//! What chooses.

use std::collections::VecDeque;

/// Bytes from elsewhere as long as there are any, then SplitMix64, which is enough to stir small
/// alphabets and the same everywhere.
pub struct Dice {
    bytes: VecDeque<u8>,
    seed: u64,
}

impl Dice {
    /// Dice that show `bytes` first, then what follows from `seed`.
    pub fn new(bytes: &[u8], seed: u64) -> Self {
        Self { bytes: bytes.iter().copied().collect(), seed }
    }

    /// 0 or more, less than `sides`.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        if let Some(byte) = self.bytes.pop_front() {
            return usize::from(byte) % sides;
        }
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }
}
