//! Buffers that no connection needs now, for whoever needs one next. Each thread has its own.
//! Knows nothing of what they are filled with.

use std::cell::RefCell;

use bytes::{Buf, BytesMut};

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

/// A copy whose target stands up to 15 bytes behind its source, as far as their places in pages go, costs up to sixty times as much as any
/// other on common processors (glibc's bug 30994). The kernel's side of a copy begins with a page, so what is read into and what is
/// written from stand at places of their own.
const PAGE: usize = 4096;

/// What a buffer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// Reading, [`USUAL`] and not much more.
    Usual,
    /// Reading [`WIDE`].
    Wide,
    /// Writing, as much as [`Room::Usual`].
    Out,
}

impl Room {
    fn size(self) -> usize {
        match self {
            Self::Usual | Self::Out => USUAL,
            Self::Wide => WIDE,
        }
    }

    /// Where in a page it begins.
    fn begins(self) -> usize {
        match self {
            Self::Usual | Self::Wide => PAGE / 2,
            Self::Out => PAGE / 4,
        }
    }
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
    let spare = SPARE.with_borrow_mut(|spare| match room {
        Room::Usual | Room::Out => spare.usual.pop(),
        Room::Wide => spare.wide.pop(),
    });
    let mut buffer = spare.unwrap_or_else(|| BytesMut::with_capacity(room.size() + PAGE));
    let skipped = (room.begins() + PAGE - buffer.as_ptr().addr() % PAGE) % PAGE;
    buffer.resize(skipped, 0);
    buffer.advance(skipped);
    buffer
}

/// Gives back a buffer whose content is not needed any more. One that pieces were cut from comes back only if none of them is left.
pub fn give(mut buffer: BytesMut) {
    buffer.clear();
    let wide = buffer.try_reclaim(WIDE + PAGE);
    let usual = !wide && buffer.try_reclaim(USUAL + PAGE) && buffer.capacity() <= LARGEST;
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
    fn reading_and_writing_begin_at_places_of_their_own() {
        for (room, at) in [(Room::Usual, 2048), (Room::Wide, 2048), (Room::Out, 1024)] {
            let mut buffer = take(room);
            assert_eq!((buffer.as_ptr().addr() % PAGE, buffer.is_empty()), (at, true), "{room:?}");
            assert!(buffer.capacity() >= room.size(), "{room:?}: {}", buffer.capacity());
            buffer.extend_from_slice(b"something");
            give(buffer);
            assert_eq!(take(room).as_ptr().addr() % PAGE, at, "{room:?}, again");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let kept = || SPARE.with_borrow(|spare| (spare.usual.len(), spare.wide.len()));
        [USUAL, LARGEST + 1, WIDE].into_iter().for_each(|odd| give(BytesMut::with_capacity(odd)));
        assert_eq!(kept(), (0, 0));
        (0..MOST * 2).for_each(|_| give(BytesMut::with_capacity(USUAL + PAGE)));
        (0..MOST * 2).for_each(|_| give(BytesMut::with_capacity(WIDE + PAGE)));
        assert_eq!(kept(), (MOST, MOST_WIDE));
    }
}
