//! A range of addresses.
//! Knows nothing of who connects.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// `127.0.0.0/8`, `::1/128`; an address alone is a range of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    address: IpAddr,
    bits: u8,
}

impl Cidr {
    /// True where the address is in the range; an IPv4 address written in IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                head(u128::from(own.to_bits()) << 96, self.bits) == head(u128::from(other.to_bits()) << 96, self.bits)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => head(own.to_bits(), self.bits) == head(other.to_bits(), self.bits),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// True where every address of the other range is in this one.
    pub fn covers(&self, other: &Self) -> bool {
        self.bits <= other.bits && self.address.is_ipv4() == other.address.is_ipv4() && self.contains(other.address)
    }
}

/// The first bits of an address that is pushed to the left.
fn head(address: u128, bits: u8) -> u128 {
    address & u128::MAX.checked_shl(128_u32.saturating_sub(u32::from(bits))).unwrap_or(0)
}

impl FromStr for Cidr {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| "this is no address; write one like `127.0.0.0/8` or `::1`")?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let plain = |bits: &str| bits.bytes().all(|b| b.is_ascii_digit()).then(|| bits.parse::<u8>().ok()).flatten();
        let bits = match bits {
            None => most,
            Some(bits) => plain(bits).filter(|bits| *bits <= most).ok_or("the number of bits is not 0 to 32, or 128 for IPv6")?,
        };
        let whole = match address {
            IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
            IpAddr::V6(v6) => v6.to_bits(),
        };
        if head(whole, bits) != whole {
            return Err("the address has bits beyond the range; write the first address of the range");
        }
        Ok(Self { address, bits })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}
