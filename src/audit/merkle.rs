//! The Merkle tree of RFC 6962, section 2.1: a root over many lines, and the proof that one line is under it.
//! Knows nothing of records, files and signatures.

use sha2::{Digest, Sha256};

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// What is chained to where nothing comes before: 64 zeros when written.
pub const ZERO: Hash = [0; 32];

/// The plain digest of some bytes; a line's is what the next line carries as `previous`.
pub fn digest(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// The hash of a leaf: RFC 6962 keeps leaves and nodes apart by a first byte, so that neither passes for the other.
pub fn leaf(bytes: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(bytes).finalize().into()
}

/// The hash of an inner node.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    push_hex(bytes, &mut text);
    text
}

/// Adds lower-case hex to a text.
pub(super) fn push_hex(bytes: &[u8], out: &mut String) {
    by_parts(bytes, |digits| out.push_str(std::str::from_utf8(digits).unwrap_or_default()));
}

/// Writes lower-case hex.
pub(super) fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    by_parts(bytes, |digits| out.extend_from_slice(digits));
}

fn by_parts(bytes: &[u8], mut put: impl FnMut(&[u8])) {
    let mut text = [[0; 2]; 32];
    for part in bytes.chunks(text.len()) {
        text.iter_mut().zip(part).for_each(|(place, byte)| *place = digits(*byte));
        put(text.get(..part.len()).unwrap_or_default().as_flattened());
    }
}

fn digits(byte: u8) -> [u8; 2] {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble };
    [digit(byte >> 4), digit(byte & 15)]
}

/// A digest from its 64 lower-case hex digits; other spellings are none.
pub fn parse_hex(text: &str) -> Option<Hash> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut hash = ZERO;
    if pairs.len() != hash.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(hash)
}

/// A growing tree that keeps only the roots of its whole subtrees: one hash for each bit that is set in its size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    /// The largest, which is the leftmost, first.
    peaks: Vec<Hash>,
}

impl Tree {
    /// Adds a leaf's hash at the right.
    pub fn push(&mut self, leaf: Hash) {
        let mut merged = leaf;
        // a subtree of the same height stands at the left for each trailing one of the size
        for _ in 0..self.size.trailing_ones() {
            merged = self.peaks.pop().map_or(merged, |left| node(&left, &merged));
        }
        self.peaks.push(merged);
        self.size += 1;
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root; that of no leaves is the digest of nothing.
    pub fn root(&self) -> Hash {
        self.peaks.iter().rev().copied().reduce(|right, left| node(&left, &right)).unwrap_or_else(|| digest(b""))
    }
}

/// The root over all these leaves.
pub fn root(leaves: &[Hash]) -> Hash {
    let mut tree = Tree::default();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    tree.root()
}

/// The proof that the leaf of this index, from 0, is in the tree of these leaves: the hashes beside its way up, lowest first.
pub fn inclusion(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    let (mut rest, mut index, mut path) = (leaves, index, Vec::new());
    while rest.len() > 1 {
        // the largest power of two that is smaller than the number of leaves
        let (left, right) = rest.split_at_checked(rest.len().next_power_of_two() / 2)?;
        if index < left.len() {
            path.push(root(right));
            rest = left;
        } else {
            path.push(root(left));
            index -= left.len();
            rest = right;
        }
    }
    path.reverse();
    Some(path)
}

/// True where the proof leads from this leaf at this index to this root of this many leaves (RFC 9162, section 2.1.3.2).
pub fn proves(proof: &[Hash], leaf: Hash, index: u64, size: u64, root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for beside in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node(beside, &hash);
            // the rightmost node stands alone on some levels: it goes up without a partner
            let alone = if at & 1 == 0 { at.trailing_zeros().min(last.trailing_zeros()) } else { 0 };
            (at, last) = (at >> alone, last >> alone);
        } else {
            hash = node(&hash, beside);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The leaves of the tests of Certificate Transparency's reference implementation.
    const LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];

    /// The roots over the first one to eight of them.
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    /// Section 2.1 word for word.
    fn by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => digest(b""),
            [leaf] => *leaf,
            _ => {
                let mut split = 1;
                while split * 2 < leaves.len() {
                    split *= 2;
                }
                node(&by_definition(&leaves[..split]), &by_definition(&leaves[split..]))
            }
        }
    }

    fn numbered(size: usize) -> Vec<Hash> {
        (0..size).map(|number| leaf(number.to_string().as_bytes())).collect()
    }

    #[test]
    fn gives_the_known_roots() {
        assert_eq!(hex(&Tree::default().root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        let mut tree = Tree::default();
        for (bytes, root) in LEAVES.iter().zip(ROOTS) {
            tree.push(leaf(bytes));
            assert_eq!(hex(&tree.root()), root, "size {}", tree.size());
        }
    }

    #[test]
    fn gives_the_known_proofs() {
        let leaves: Vec<Hash> = LEAVES.iter().map(|bytes| leaf(bytes)).collect();
        let path: Vec<String> = inclusion(&leaves, 5).unwrap().iter().map(|hash| hex(hash)).collect();
        assert_eq!(
            path,
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
        let short: Vec<String> = inclusion(&leaves[..3], 2).unwrap().iter().map(|hash| hex(hash)).collect();
        assert_eq!(short, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]);
    }

    #[test]
    fn agrees_with_the_definition_at_every_size() {
        let leaves = numbered(130);
        let mut tree = Tree::default();
        for size in 0..=leaves.len() {
            assert_eq!(tree.root(), by_definition(&leaves[..size]), "size {size}");
            assert_eq!(tree.peaks.len(), size.count_ones() as usize);
            if let Some(next) = leaves.get(size) {
                tree.push(*next);
            }
        }
    }

    #[test]
    fn proves_every_leaf_of_every_size_and_nothing_else() {
        let leaves = numbered(40);
        for size in 1..=leaves.len() {
            let root = by_definition(&leaves[..size]);
            for index in 0..size {
                let proof = inclusion(&leaves[..size], index).unwrap();
                for claimed in 0..=size {
                    let fits = proves(&proof, leaves[index], claimed as u64, size as u64, &root);
                    assert_eq!(fits, claimed == index, "index {index} as {claimed} of {size}");
                }
                assert!(!proves(&proof, leaf(b"another"), index as u64, size as u64, &root));
                assert!(!proves(&[proof.clone(), vec![root]].concat(), leaves[index], index as u64, size as u64, &root));
                assert!(proof.is_empty() || !proves(&proof[1..], leaves[index], index as u64, size as u64, &root));
            }
            assert_eq!(inclusion(&leaves[..size], size), None);
        }
    }

    #[test]
    fn reads_the_hex_that_it_writes_and_no_other() {
        let hash = digest(b"x");
        assert_eq!(parse_hex(&hex(&hash)), Some(hash));
        for wrong in ["", "00", &hex(&hash).to_uppercase(), &format!("{}0", hex(&hash)), &"zz".repeat(32)] {
            assert_eq!(parse_hex(wrong), None, "{wrong}");
        }
    }
}
