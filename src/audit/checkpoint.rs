//! Checkpoints: C2SP signed notes (<https://c2sp.org/signed-note>, <https://c2sp.org/tlog-checkpoint>) over the tree of a file,
//! and the keys that sign them, in the text forms of Go's note package.
//! Knows nothing of where keys, notes and lines are kept.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

use super::merkle::{Hash, hex, parse_hex};

/// What every name of a trail begins with.
pub const NAME: &str = "dockgate.audit/";
/// What a line with a signature begins with: an em dash and a space.
const SIGNED: &str = "\u{2014} ";
/// The number of the signature's algorithm, Ed25519.
const ED25519: u8 = 1;
/// The longest note that is read.
const MAX_NOTE: usize = 16 << 10;

/// Why a text is no key or no checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(&'static str);

/// Why a checkpoint does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// Nobody signed with this key's name and number.
    #[error("it has no signature of this key")]
    OtherKey,
    /// The signature does not fit the text.
    #[error("its signature does not fit its text")]
    Signature,
}

/// The key that verifies checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    key: VerifyingKey,
}

/// The key that signs checkpoints. It is never shown.
#[derive(Clone)]
pub struct SecretKey {
    name: String,
    key: SigningKey,
}

impl PublicKey {
    /// The name, `dockgate.audit/<log id>`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the trail that it belongs to.
    pub fn log(&self) -> &str {
        self.name.strip_prefix(NAME).unwrap_or(&self.name)
    }

    /// Its number, the first four bytes of a digest over name and key: what records call `key`, in hex.
    pub fn hash(&self) -> [u8; 4] {
        let digest = Sha256::new().chain_update(&self.name).chain_update([b'\n', ED25519]).chain_update(self.key.as_bytes()).finalize();
        digest.first_chunk().copied().unwrap_or_default()
    }

    /// Its number as eight hex digits.
    pub fn id(&self) -> String {
        hex(&self.hash())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.name, self.id(), BASE64.encode(tagged(self.key.as_bytes())))
    }
}

impl FromStr for PublicKey {
    type Err = Malformed;

    /// Reads `<name>+<8 hex>+<base64>`, with or without the end of the line.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (name, id, bytes) = parts(text)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| Malformed("it is no Ed25519 key"))?;
        let key = Self { name: name.to_owned(), key };
        if key.id() == id { Ok(key) } else { Err(Malformed("its number does not fit it")) }
    }
}

impl SecretKey {
    /// The key of a trail from 32 random bytes.
    pub fn generate(log: &str, seed: &[u8; 32]) -> Self {
        Self { name: format!("{NAME}{log}"), key: SigningKey::from_bytes(seed) }
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        PublicKey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// The id of the trail that it belongs to.
    pub fn log(&self) -> &str {
        self.name.strip_prefix(NAME).unwrap_or(&self.name)
    }

    /// The text of the key's file, with the end of the line.
    pub fn to_text(&self) -> String {
        format!("PRIVATE+KEY+{}+{}+{}\n", self.name, self.public().id(), BASE64.encode(tagged(self.key.as_bytes())))
    }

    /// The key for digests of redacted values. It comes from the seed, so that whoever keeps the trail's key can look for a value.
    pub fn redaction(&self) -> [u8; 32] {
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(self.key.as_bytes()) else { return [0; 32] };
        mac.chain_update("dockgate redaction v1").finalize().into_bytes().into()
    }

    /// The signed note of a checkpoint: text, empty line, signature. An empty line goes after it in a file of notes.
    pub fn sign(&self, checkpoint: &Checkpoint) -> String {
        let text = checkpoint.to_string();
        let mut bytes = self.public().hash().to_vec();
        bytes.extend_from_slice(&self.key.sign(text.as_bytes()).to_bytes());
        format!("{text}\n{SIGNED}{} {}\n", self.name, BASE64.encode(bytes))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey").field("name", &self.name).finish_non_exhaustive()
    }
}

impl FromStr for SecretKey {
    type Err = Malformed;

    /// Reads `PRIVATE+KEY+<name>+<8 hex>+<base64>`, with or without the end of the line.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (name, id, seed) = parts(text.strip_prefix("PRIVATE+KEY+").ok_or(Malformed("it is no private key"))?)?;
        let key = Self { name: name.to_owned(), key: SigningKey::from_bytes(&seed) };
        if key.public().id() == id { Ok(key) } else { Err(Malformed("its number does not fit it")) }
    }
}

fn tagged(bytes: &[u8; 32]) -> [u8; 33] {
    let mut tagged = [ED25519; 33];
    tagged.iter_mut().skip(1).zip(bytes).for_each(|(to, from)| *to = *from);
    tagged
}

/// Name, number and the 32 bytes of a key's text.
fn parts(text: &str) -> Result<(&str, &str, [u8; 32]), Malformed> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let (name, rest) = text.split_once('+').ok_or(Malformed("it is not `name+number+key`"))?;
    let (id, encoded) = rest.split_once('+').ok_or(Malformed("it is not `name+number+key`"))?;
    if !is_name(name) {
        return Err(Malformed("its name is not that of a trail"));
    }
    match BASE64.decode(encoded).map_err(|_| Malformed("its key is no base64"))?.split_first() {
        Some((&ED25519, bytes)) => Ok((name, id, bytes.try_into().map_err(|_| Malformed("its key has the wrong length"))?)),
        _ => Err(Malformed("its key is not for Ed25519")),
    }
}

fn is_name(name: &str) -> bool {
    name.strip_prefix(NAME).is_some_and(is_log)
}

/// A log id is a ULID; nothing longer or with other characters is taken.
fn is_log(log: &str) -> bool {
    log.len() == 26 && log.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

/// What a trail's key signs: how far a file goes and the root of its lines' tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The trail's id.
    pub log: String,
    /// The file's number, from 1.
    pub file: u32,
    /// Lines of the file.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// The sequence of the last of them.
    pub sequence: u64,
    /// The plain digest of the last of them.
    pub last: Hash,
}

impl fmt::Display for Checkpoint {
    /// The text that is signed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{NAME}{}/{:06}", self.log, self.file)?;
        writeln!(f, "{}\n{}", self.size, BASE64.encode(self.root))?;
        writeln!(f, "last {} {}", self.sequence, hex(&self.last))
    }
}

impl FromStr for Checkpoint {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut lines = text.strip_suffix('\n').ok_or(Malformed("its last line has no end"))?.split('\n');
        let mut line = |missing| lines.next().ok_or(Malformed(missing));
        let origin = line("it has no origin")?.strip_prefix(NAME).and_then(|origin| origin.split_once('/'));
        let (log, file) = origin.filter(|(log, _)| is_log(log)).ok_or(Malformed("its origin is not that of a trail"))?;
        let size = number(line("it has no size")?)?;
        let root = BASE64.decode(line("it has no root")?).map_err(|_| Malformed("its root is no base64"))?;
        let last = line("it has no last line")?.strip_prefix("last ").and_then(|last| last.split_once(' '));
        let (sequence, last) = last.ok_or(Malformed("its last line is not `last <sequence> <digest>`"))?;
        let checkpoint = Self {
            log: log.to_owned(),
            file: file.parse().map_err(|_| Malformed("its file number is none"))?,
            size,
            root: root.try_into().map_err(|_| Malformed("its root has the wrong length"))?,
            sequence: number(sequence)?,
            last: parse_hex(last).ok_or(Malformed("its last digest is none"))?,
        };
        // one spelling only: what is read is what would be written
        if checkpoint.to_string() == text { Ok(checkpoint) } else { Err(Malformed("it is not spelled as dockgate spells it")) }
    }
}

fn number(text: &str) -> Result<u64, Malformed> {
    text.parse().map_err(|_| Malformed("a number is expected"))
}

/// A signed note as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// The whole note, from its origin to the end of its last signature.
    pub text: String,
    signatures: Vec<(String, [u8; 4], Vec<u8>)>,
}

impl Note {
    /// True where the key signed exactly this text. Signatures of others (witnesses) are neither needed nor looked at.
    ///
    /// # Errors
    /// Without a signature of the key, or with one that does not fit.
    pub fn verify(&self, key: &PublicKey) -> Result<(), Untrusted> {
        let text = self.checkpoint.to_string();
        let own = self.signatures.iter().find(|(name, hash, _)| *name == key.name && *hash == key.hash());
        let (_, _, bytes) = own.ok_or(Untrusted::OtherKey)?;
        let signature = Signature::from_slice(bytes).map_err(|_| Untrusted::Signature)?;
        // a key signs for its own trail only
        if self.checkpoint.log != key.log() || key.key.verify_strict(text.as_bytes(), &signature).is_err() {
            return Err(Untrusted::Signature);
        }
        Ok(())
    }
}

impl FromStr for Note {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        if text.len() > MAX_NOTE {
            return Err(Malformed("it is too long"));
        }
        let at = text.find("\n\n").ok_or(Malformed("it has no signature"))?;
        let (signed, rest) = text.split_at_checked(at + 1).ok_or(Malformed("it has no signature"))?;
        let lines = rest.strip_prefix('\n').and_then(|rest| rest.strip_suffix('\n')).ok_or(Malformed("its last line has no end"))?;
        let signatures = lines.split('\n').map(signature).collect::<Result<_, _>>()?;
        Ok(Self { checkpoint: signed.parse()?, text: text.to_owned(), signatures })
    }
}

/// `— <name> <base64(number || signature)>`
fn signature(line: &str) -> Result<(String, [u8; 4], Vec<u8>), Malformed> {
    let wrong = Malformed("a line after its text is no signature");
    let (name, encoded) = line.strip_prefix(SIGNED).and_then(|line| line.split_once(' ')).ok_or(wrong)?;
    let bytes = BASE64.decode(encoded).map_err(|_| Malformed("a signature is no base64"))?;
    let (hash, bytes) = bytes.split_first_chunk().ok_or(Malformed("a signature is too short"))?;
    if name.is_empty() || name.contains(['+', ' ']) || bytes.is_empty() {
        return Err(wrong);
    }
    Ok((name.to_owned(), *hash, bytes.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::merkle::digest;

    const LOG: &str = "01JCZ6Q1V6N6Q9G4M6WQZ0T3AB";

    fn key() -> SecretKey {
        SecretKey::generate(LOG, &[7; 32])
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint { log: LOG.to_owned(), file: 3, size: 12, root: digest(b"root"), sequence: 40, last: digest(b"line") }
    }

    /// The key, name and signature of <https://pkg.go.dev/golang.org/x/mod/sumdb/note>'s own documentation.
    #[test]
    fn numbers_keys_as_the_go_package_does() {
        let bytes = BASE64.decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").unwrap();
        let key = VerifyingKey::from_bytes(bytes[1..].try_into().unwrap()).unwrap();
        assert_eq!(PublicKey { name: "PeterNeumann".to_owned(), key }.id(), "c74f20a3");
    }

    #[test]
    fn writes_and_reads_both_halves_of_a_key() {
        let (secret, public) = (key(), key().public());
        assert!(secret.to_text().starts_with(&format!("PRIVATE+KEY+dockgate.audit/{LOG}+{}+", public.id())));
        assert_eq!(secret.to_text().parse::<SecretKey>().unwrap().public(), public);
        assert_eq!(public.to_string().parse::<PublicKey>().unwrap(), public);
        assert_eq!(format!("{public}\n").parse::<PublicKey>().unwrap().log(), LOG);
        assert!(!format!("{secret:?}").contains(&BASE64.encode([7; 32])[..8]));
    }

    #[test]
    fn refuses_keys_that_do_not_fit_their_number_or_form() {
        let public = key().public().to_string();
        let other = SecretKey::generate(LOG, &[8; 32]).public();
        for wrong in [
            public.replace(&key().public().id(), &other.id()),
            public.replace("dockgate.audit/", "other/"),
            public.replace(LOG, "short"),
            public.replace("+A", "+B"),
            format!("{public}\n\n"),
            format!(" {public}"),
            key().to_text(),
            String::new(),
        ] {
            assert!(wrong.parse::<PublicKey>().is_err(), "{wrong}");
        }
        assert!(public.parse::<SecretKey>().is_err());
        assert!(format!("PRIVATE+KEY+{public}").parse::<SecretKey>().is_err());
    }

    #[test]
    fn signs_notes_that_its_public_half_verifies() {
        let text = key().sign(&checkpoint());
        assert!(text.starts_with(&format!("dockgate.audit/{LOG}/000003\n12\n")), "{text}");
        let note: Note = text.parse().unwrap();
        assert_eq!(note.checkpoint, checkpoint());
        assert_eq!(note.verify(&key().public()), Ok(()));
        assert_eq!(note.verify(&SecretKey::generate(LOG, &[8; 32]).public()), Err(Untrusted::OtherKey));
    }

    #[test]
    fn finds_changed_bytes_of_a_note() {
        let text = key().sign(&checkpoint());
        for at in (0..text.len()).step_by(3) {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            let verified = changed.parse::<Note>().is_ok_and(|note| note.verify(&key().public()).is_ok());
            assert!(!verified, "byte {at} of\n{changed}");
        }
    }

    #[test]
    fn ignores_signatures_of_witnesses_and_takes_no_other_extra_line() {
        let text = key().sign(&checkpoint());
        let witnessed = format!("{text}{SIGNED}witness.example {}\n", BASE64.encode([1; 76]));
        assert_eq!(witnessed.parse::<Note>().unwrap().verify(&key().public()), Ok(()));
        for wrong in [
            format!("{text}\n"),
            format!("{text}more\n"),
            format!("\n{text}"),
            text.trim_end().to_owned(),
            text.replacen("\n12\n", "\n012\n", 1),
            text.replacen("000003", "3", 1),
            text.replacen("\n\n", "\nmore\n\n", 1),
        ] {
            assert!(wrong.parse::<Note>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn does_not_let_a_key_sign_for_another_trail() {
        let other = Checkpoint { log: "01JCZ6Q1V6N6Q9G4M6WQZ0T3AC".to_owned(), ..checkpoint() };
        let note: Note = key().sign(&other).parse().unwrap();
        assert_eq!(note.verify(&key().public()), Err(Untrusted::Signature));
    }

    #[test]
    fn derives_the_key_for_redaction_from_the_seed() {
        assert_eq!(key().redaction(), SecretKey::generate("01JCZ6Q1V6N6Q9G4M6WQZ0T3AC", &[7; 32]).redaction());
        assert_ne!(key().redaction(), SecretKey::generate(LOG, &[8; 32]).redaction());
        assert_eq!(hex(&key().redaction()), "00fc48a799b317e771934d97618ca99b6f4cff5e03dcd45fd9c32779d24e0c32");
    }
}
