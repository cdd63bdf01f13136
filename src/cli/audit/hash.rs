//! `dockgate audit hash`: a value as it stands in records, so that a leaked one can be looked for.
//! Knows nothing of records.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::super::say::{self, Failure};
use super::super::{Outcome, load};

/// What the redaction key is derived with.
const PURPOSE: &[u8] = b"dockgate redaction v1";
/// Bytes of the digest that records show.
const SHOWN: usize = 8;
/// Before the seed in the key's text: Ed25519.
const ED25519: u8 = 1;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The value, such as that of an environment variable, without its name; `-` reads it from standard input, up to its last newline
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    value: String,
    /// The trail's private key, beside the trail
    #[arg(long, value_name = "FILE")]
    key: String,
}

const EXAMPLES: &str = "\
Examples:
  dockgate audit hash - --key /var/log/dockgate/audit.key < leaked-password.txt
  dockgate audit hash hunter2 --key audit.key
  grep -F \"$(dockgate audit hash - --key audit.key < token)\" audit*.jsonl

A value on the command line can be seen by other users and stays in the shell's history: prefer `-`.
Exit codes: 0 fine, 2 the key cannot be read.";

/// Prints the value as records show it.
pub fn run(args: &Args) -> Outcome {
    let value = if args.value == "-" { without_newline(load::bytes("-")?) } else { args.value.clone().into_bytes() };
    let text = load::text(&args.key)?;
    let not_a_key = || {
        Failure::usage(format!("`{}` holds no private key of a trail", args.key))
            .hint("it begins with PRIVATE+KEY+dockgate.audit/ and stands beside the trail as `audit.key`")
    };
    let seed = seed(&text).ok_or_else(not_a_key)?;
    say::out(shown(&seed, &value));
    Ok(0)
}

fn without_newline(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    bytes
}

/// `PRIVATE+KEY+<name>+<hash>+<base64 of 1 and the seed>`.
fn seed(text: &str) -> Option<[u8; 32]> {
    let (_name, rest) = text.trim().strip_prefix("PRIVATE+KEY+")?.split_once('+')?;
    let (_hash, seed) = rest.split_once('+')?;
    let bytes = BASE64.decode(seed).ok()?;
    bytes.strip_prefix(&[ED25519])?.try_into().ok()
}

fn shown(seed: &[u8], value: &[u8]) -> String {
    let digest = keyed(&keyed(seed, PURPOSE), value);
    let hex: String = digest.iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect();
    format!("hmac:{hex}")
}

fn keyed(key: &[u8], text: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length, so there is no error to report
    Hmac::<Sha256>::new_from_slice(key).map(|mac| mac.chain_update(text).finalize().into_bytes().to_vec()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_seed_of_a_key_in_its_text_form() {
        let bytes = [vec![1], vec![7; 32]].concat();
        let text = format!("PRIVATE+KEY+dockgate.audit/01J+0a1b2c3d+{}\n", BASE64.encode(&bytes));
        assert_eq!(seed(&text), Some([7; 32]));
        let plus = [vec![1], vec![0xfb; 32]].concat();
        assert_eq!(seed(&format!("PRIVATE+KEY+x+00000000+{}", BASE64.encode(plus))), Some([0xfb; 32]), "base64 may hold a plus");
        for wrong in ["", "PRIVATE+KEY+x+y", "dockgate.audit/01J+0a1b2c3d+AQ==", &format!("PRIVATE+KEY+x+y+{}", BASE64.encode([1; 32]))] {
            assert_eq!(seed(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn shows_a_value_as_records_do() {
        // printf hunter2 | openssl dgst -sha256 -mac HMAC -macopt hexkey:$(printf 'dockgate redaction v1' |
        //   openssl dgst -sha256 -mac HMAC -macopt hexkey:0707…07 -r | cut -d' ' -f1)
        assert_eq!(shown(&[7; 32], b"hunter2"), "hmac:eff8816dfb00175b");
        assert_eq!(without_newline(b"a\n\n".to_vec()), b"a\n");
    }
}
