//! Text that others chose, on its way to a terminal or a log.

/// Whether `c` could do more than be seen: begin a line, move a cursor, start an escape sequence, or turn
/// the direction of what follows. Such a character is escaped wherever people read text of others.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
