//! Buffers that no connection needs now, for whoever needs one next. Each thread has its own.
//! Knows nothing of what they are filled with.

use std::cell::RefCell;

use bytes::BytesMut;

/// A read of a head, a usual body or a line of progress needs no more.
pub const USUAL: usize = 16 * 1024;
/// What a peer that sends in bulk gets.
pub const WIDE: usize = 256 * 1024;
/// So many of the usual ones are kept: what one request needs at the same time, and some more.
const MOST: usize = 8;
/// A usual one that has grown beyond this is not kept.
const LARGEST: usize = 2 * USUAL;
/// So many of the wide ones.
const MOST_WIDE: usize = 2;

/// How much a buffer has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// [`USUAL`] and not much more.
    Usual,
    /// [`WIDE`].
    Wide,
}

/// The last used comes first: it is still in the processor's cache, where one of the connection's own would have left it long ago.
struct Spare {
    usual: Vec<BytesMut>,
    wide: Vec<BytesMut>,
}

thread_local! {
    static SPARE: RefCell<Spare> = const { RefCell::new(Spare { usual: Vec::new(), wide: Vec::new() }) };
}

/// An empty buffer with so much room.
pub fn take(room: Room) -> BytesMut {
    match room {
        Room::Usual => SPARE.with_borrow_mut(|spare| spare.usual.pop()).unwrap_or_else(|| BytesMut::with_capacity(USUAL)),
        Room::Wide => SPARE.with_borrow_mut(|spare| spare.wide.pop()).unwrap_or_else(|| BytesMut::with_capacity(WIDE)),
    }
}

/// Gives back a buffer whose content is not needed any more. One that pieces were cut from comes back only if none of them is left.
pub fn give(mut buffer: BytesMut) {
    buffer.clear();
    let wide = buffer.try_reclaim(WIDE);
    let usual = !wide && buffer.try_reclaim(USUAL) && buffer.capacity() <= LARGEST;
    SPARE.with_borrow_mut(|spare| {
        if wide && spare.wide.len() < MOST_WIDE {
            spare.wide.push(buffer);
        } else if usual && spare.usual.len() < MOST {
            spare.usual.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffer_that_was_used_last_comes_back_first_with_all_of_its_room() {
        for (room, length) in [(Room::Usual, USUAL), (Room::Wide, WIDE)] {
            let (mut first, second) = (take(room), take(room));
            let at = first.as_ptr();
            first.extend_from_slice(&[b'x'; 10_000]);
            let piece = first.split_to(9_000).freeze();
            give(second);
            drop(piece);
            give(first);
            let again = take(room);
            assert_eq!((again.as_ptr(), again.is_empty(), again.capacity() >= length), (at, true, true), "{room:?}");
        }
    }

    #[test]
    fn a_buffer_is_not_written_to_while_a_piece_of_it_is_held() {
        let mut buffer = take(Room::Usual);
        buffer.extend_from_slice(b"held by somebody");
        let piece = buffer.split_to(4).freeze();
        give(buffer);
        let mut others: Vec<_> = (0..=MOST).map(|_| take(Room::Usual)).collect();
        others.iter_mut().for_each(|other| other.extend_from_slice(&[b'y'; USUAL]));
        assert_eq!(&piece[..], b"held");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let kept = || SPARE.with_borrow(|spare| (spare.usual.len(), spare.wide.len()));
        [USUAL / 2, LARGEST + 1, WIDE - 1].into_iter().for_each(|odd| give(BytesMut::with_capacity(odd)));
        assert_eq!(kept(), (0, 0));
        (0..MOST * 2).for_each(|_| give(BytesMut::with_capacity(USUAL)));
        (0..MOST * 2).for_each(|_| give(BytesMut::with_capacity(WIDE)));
        assert_eq!(kept(), (MOST, MOST_WIDE));
    }
}
