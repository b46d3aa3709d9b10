//! Places in a WAL, and how they are written down.

use crate::page::PageSize;

/// A place in a WAL, which tells later whether that WAL was only appended to.
///
/// The salts change whenever SQLite starts a WAL over, and the checksum covers the header and every byte of every frame
/// up to the place. A mark at frame 0 is as good as any other: its checksum is the header's, and since a WAL that was
/// not started over holds every later commit, its frames are then all that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalMark {
    /// Salt-1 and salt-2 of the header.
    pub salts: (u32, u32),
    /// How many frames lie before the place.
    pub frames: u32,
    /// The running checksum at the place; the header's own when `frames` is 0.
    pub checksum: (u32, u32),
}

impl WalMark {
    /// Byte offset, in the WAL, of the frame that comes after it.
    pub fn end(self, page_size: PageSize) -> u64 {
        super::frame_offset(self.frames.saturating_add(1), page_size)
    }

    /// As text: `wal:<salts>:<frames>:<checksum>`, with 16 hex digits for each pair of numbers. Records keep it.
    pub fn format(self) -> String {
        let Self { salts, frames, checksum } = self;
        format!("wal:{:08x}{:08x}:{frames}:{:08x}{:08x}", salts.0, salts.1, checksum.0, checksum.1)
    }

    /// Reads [`WalMark::format`]; `None` for what is none, as a mark of another kind of source.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("wal:")?.split(':');
        let salts = pair(parts.next()?)?;
        let frames = parts.next()?.parse().ok()?;
        let checksum = pair(parts.next()?)?;
        parts.next().is_none().then_some(Self { salts, frames, checksum })
    }
}

fn pair(digits: &str) -> Option<(u32, u32)> {
    let value = u64::from_str_radix(digits, 16).ok()?;
    Some(((value >> 32) as u32, value as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_leads_back_to_the_mark() {
        for mark in [
            WalMark { salts: (0, 0), frames: 0, checksum: (0, 0) },
            WalMark { salts: (1, 0xffff_ffff), frames: u32::MAX, checksum: (0xabc, 2) },
        ] {
            assert_eq!(WalMark::parse(&mark.format()), Some(mark));
        }
        let mark = WalMark { salts: (0x12, 0xab), frames: 7, checksum: (1, 2) };
        assert_eq!(mark.format(), "wal:00000012000000ab:7:0000000100000002");
    }

    #[test]
    fn other_text_is_no_mark() {
        for text in ["", "wal:", "wal:0:1", "wal:zz:1:0", "wal:0:-1:0", "wal:0:1:0:0", "0000000000000001 a b"] {
            assert_eq!(WalMark::parse(text), None, "{text}");
        }
    }
}
