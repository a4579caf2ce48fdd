//! How many datagrams the kernel dropped at one socket, out of its table of sockets.

/// The drops of the socket with this inode in the text of `/proc/net/udp` or `udp6`; `None` if it is not there.
///
/// The inode is the tenth word of a line and the drops the last (proc(5), `/proc/net/udp`). The kernel counts in 32
/// bits and wraps.
pub fn of(table: &str, inode: u64) -> Option<u32> {
    let is_ours = |line: &&str| {
        let word = line.split_ascii_whitespace().nth(9);
        word.is_some_and(|word| word.parse() == Ok(inode))
    };
    let line = table.lines().skip(1).find(is_ours)?;
    line.split_ascii_whitespace().nth(12)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  411: 0100007F:158A 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 91234 2 0000000000000000 17
  412: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 91235 2 0000000000000000 0
  413: 00000000:0045 00000000:0000 07 00000000
";

    #[test]
    fn the_line_of_the_inode_tells() {
        assert_eq!(of(TABLE, 91234), Some(17));
        assert_eq!(of(TABLE, 91235), Some(0));
        assert_eq!(of(TABLE, 9123), None);
        assert_eq!(of("", 1), None);
    }
}
