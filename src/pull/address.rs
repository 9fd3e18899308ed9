//! Where a source may stand: every address is checked, and that very address is connected to.
//!
//! A name is resolved by us, each address it yields is held against the networks that are allowed,
//! and the connection goes to one that passed: there is no second look-up in between, so a name that
//! answers differently every time gains nothing. An address written in numbers is checked before
//! anything is sent; decimal, octal and IPv4-in-IPv6 spellings are one address each. The private
//! networks of a province are its portals' home and allowed; the gateway's own machine (loopback),
//! its neighbours on the wire (link-local, where clouds keep their metadata), and addresses of no
//! machine are refused unless the configuration names their network.
//!
//! Behind an HTTP proxy it is the proxy that resolves names; then the proxy's address is checked.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};
use url::{Host, Url};

/// A network such as `10.0.0.0/8` or `fd00::/8`; a single address is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

/// Networks as a configuration lists them; one entry may hold several with commas, or none at all,
/// so that a variable can stand for the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

/// Why an address is not asked. It is not repeated: a source must not learn to map our networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Forbidden {
    #[error(
        "it stands at {0}, which is refused unless allowed_networks of the source, or outbound.allow of iocgw.yaml, names the network"
    )]
    Kind(&'static str),
    #[error("it stands outside of the networks that the source's allowed_networks names")]
    Outside,
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
enum Unresolved {
    #[error("the name is not resolved within {} s", .0.as_secs_f32())]
    Slow(Duration),
    #[error("the name is not known")]
    Unknown,
}

/// Which addresses one source may have.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    /// Of the source; if there are any, there are no others.
    pub(super) own: Networks,
    /// Of the installation: these too.
    pub(super) shared: Networks,
    /// Whether private networks are refused as well: where it is not the configuration that names the
    /// address.
    pub(super) keeps_out_private: bool,
}

/// Resolves names under a policy.
pub(super) struct Resolver {
    pub(super) policy: Policy,
    pub(super) patience: Duration,
    pub(super) lookup: Lookup,
}

/// What a test says of a name; nothing if it never answers.
#[cfg(test)]
type Script = dyn Fn(&str) -> Option<Vec<IpAddr>> + Send + Sync;

/// Who knows the addresses of names.
#[derive(Clone, Default)]
pub(super) enum Lookup {
    /// The machine's resolver.
    #[default]
    System,
    /// A test.
    #[cfg(test)]
    Script(std::sync::Arc<Script>),
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.prefix);
                (u64::from(u32::from(base)) >> shift) == (u64::from(u32::from(address)) >> shift)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let differing = u128::from(base) ^ u128::from(address);
                differing.leading_zeros() >= u32::from(self.prefix)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not a network; write for example 10.0.0.0/8");
        let (base, prefix) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let base: IpAddr = base.parse().map_err(|_| wrong())?;
        let (longest, shortest) = if base.is_ipv4() { (32, 8) } else { (128, 7) };
        let prefix = prefix.map_or(Ok(longest), str::parse).map_err(|_| wrong())?;
        if prefix > longest {
            return Err(wrong());
        }
        if prefix < shortest {
            return Err(format!("'{text}' is half the world; a network begins at /{shortest}"));
        }
        let network = Self { base, prefix };
        let host_bits = match base {
            IpAddr::V4(base) => u128::from(u32::from(base)) & ((1_u128 << (32 - prefix)) - 1),
            IpAddr::V6(base) => u128::from(base) & !(u128::MAX << (128 - prefix)),
        };
        let is_single = prefix == longest;
        if !is_single && host_bits != 0 {
            return Err(format!("'{text}' has bits set behind its /{prefix}"));
        }
        Ok(network)
    }
}

impl Networks {
    /// Adds others.
    pub fn join(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them holds the address, however it is written.
    pub fn hold(&self, address: IpAddr) -> bool {
        self.contain(plain(address))
    }

    fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

impl FromStr for Networks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl<'de> Deserialize<'de> for Networks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = Vec::<String>::deserialize(deserializer)?;
        entries.join(",").parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Networks {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Networks".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Networks such as 10.0.0.0/8 or fd00::/8.",
            "type": "array",
            "items": {"type": "string"}
        })
    }
}

impl Policy {
    /// Whether an address may be asked.
    pub(super) fn check(&self, address: IpAddr) -> Result<(), Forbidden> {
        let address = plain(address);
        if self.own.contain(address) || self.shared.contain(address) {
            return Ok(());
        }
        match kind(address) {
            Some(kind) => Err(Forbidden::Kind(kind)),
            None if self.keeps_out_private && is_private(address) => {
                Err(Forbidden::Kind("an address of a private network"))
            }
            None if self.own.0.is_empty() => Ok(()),
            None => Err(Forbidden::Outside),
        }
    }

    /// Whether the host of an address, if it is written in numbers, may be asked; a name is checked
    /// once it is resolved.
    pub(super) fn check_host(&self, url: &Url) -> Result<(), Forbidden> {
        match url.host() {
            Some(Host::Ipv4(address)) => self.check(address.into()),
            Some(Host::Ipv6(address)) => self.check(address.into()),
            Some(Host::Domain(_)) | None => Ok(()),
        }
    }

    /// Those of a name's addresses that may be asked.
    fn admit(&self, found: &[IpAddr]) -> Result<Vec<SocketAddr>, Forbidden> {
        let checked = found.iter().map(|address| self.check(*address).map(|()| *address));
        let (good, bad): (Vec<_>, Vec<_>) = checked.partition(Result::is_ok);
        match (good.is_empty(), bad.into_iter().find_map(Result::err)) {
            (true, Some(forbidden)) => Err(forbidden),
            _ => {
                Ok(good.into_iter().flatten().map(|address| SocketAddr::new(address, 0)).collect())
            }
        }
    }
}

impl Lookup {
    async fn addresses(&self, host: &str) -> Vec<IpAddr> {
        match self {
            Self::System => tokio::net::lookup_host((host, 0))
                .await
                .map(|found| found.map(|address| address.ip()).collect())
                .unwrap_or_default(),
            #[cfg(test)]
            Self::Script(script) => match script(host) {
                Some(found) => found,
                None => std::future::pending().await,
            },
        }
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookup")
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, lookup, patience) = (self.policy.clone(), self.lookup.clone(), self.patience);
        Box::pin(async move {
            let found = tokio::time::timeout(patience, lookup.addresses(name.as_str())).await;
            let found = found.map_err(|_| Unresolved::Slow(patience))?;
            let good = policy.admit(&found)?;
            if good.is_empty() {
                return Err(Unresolved::Unknown.into());
            }
            Ok(Box::new(good.into_iter()) as Addrs)
        })
    }
}

/// The address itself, however it is wrapped in another.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let tail = |segments: [u16; 8], at: usize| {
        let (high, low) = (segments[at].to_be_bytes(), segments[at + 1].to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(high[0], high[1], low[0], low[1]))
    };
    match v6.segments() {
        // Mapped (::ffff:0:0/96), translated (64:ff9b::/96) and 6to4 (2002::/16).
        segments @ ([0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..]) => {
            tail(segments, 6)
        }
        segments @ [0x2002, ..] => tail(segments, 1),
        // Compatible (::/96), which includes neither `::` nor `::1`.
        segments @ [0, 0, 0, 0, 0, 0, high, low] if (high, low) > (0, 1) => tail(segments, 6),
        _ => address,
    }
}

/// Whether an address belongs to somebody's own network.
fn is_private(address: IpAddr) -> bool {
    match address {
        // 100.64.0.0/10 is shared by a carrier's customers.
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            v4.is_private() || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

/// What makes an address one that nobody should send the gateway to.
fn kind(address: IpAddr) -> Option<&'static str> {
    /// Metadata of clouds that is not link-local.
    const METADATA: [IpAddr; 2] = [
        IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    ];
    let (is_link_local, is_of_nobody) = match address {
        IpAddr::V4(v4) => {
            let first = v4.octets()[0];
            (v4.is_link_local(), first == 0 || first >= 240 || v4.is_multicast())
        }
        IpAddr::V6(v6) => (v6.is_unicast_link_local(), v6.is_unspecified() || v6.is_multicast()),
    };
    if address.is_loopback() {
        Some("a loopback address")
    } else if is_link_local || METADATA.contains(&address) {
        Some("a link-local address or a cloud's metadata service")
    } else {
        is_of_nobody.then_some("an address of no single machine")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(text: &str) -> Networks {
        text.parse().unwrap()
    }

    fn policy(own: &str, shared: &str) -> Policy {
        Policy { own: networks(own), shared: networks(shared), keeps_out_private: false }
    }

    fn check(policy: &Policy, url: &str) -> Result<(), Forbidden> {
        policy.check_host(&Url::parse(url).unwrap())
    }

    #[test]
    fn s22_every_spelling_of_a_dangerous_address_is_refused() {
        let policy = policy("", "");
        for host in [
            "127.0.0.1",
            "127.8.9.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "127.1",
            "0.0.0.0",
            "0",
            "169.254.169.254",
            "2852039166",
            "0xA9.0xFE.0xA9.0xFE",
            "100.100.100.200",
            "224.0.0.1",
            "255.255.255.255",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[fe80::1]",
            "[ff02::1]",
            "[fd00:ec2::254]",
        ] {
            assert!(check(&policy, &format!("http://{host}/")).is_err(), "{host}");
        }
        for host in ["10.1.2.3", "192.168.0.1", "172.16.9.9", "203.0.113.7", "[fd12::1]", "portal"]
        {
            assert_eq!(check(&policy, &format!("http://{host}/")), Ok(()), "{host}");
        }
    }

    #[test]
    fn what_the_configuration_names_is_allowed_and_a_source_can_be_held_to_its_networks() {
        let demo = policy("", "127.0.0.0/8, ::1");
        assert_eq!(check(&demo, "http://127.0.0.1:8080/"), Ok(()));
        assert_eq!(check(&demo, "http://[::ffff:127.0.0.1]/"), Ok(()));
        assert_eq!(check(&demo, "http://[::1]/"), Ok(()));
        assert!(check(&demo, "http://169.254.169.254/").is_err());
        let held = policy("10.20.0.0/16,fd12::/16", "");
        assert_eq!(check(&held, "http://10.20.255.1/"), Ok(()));
        assert_eq!(check(&held, "http://[fd12::9]/"), Ok(()));
        assert_eq!(check(&held, "http://10.21.0.1/"), Err(Forbidden::Outside));
        assert_eq!(check(&held, "http://203.0.113.7/"), Err(Forbidden::Outside));
        assert!(matches!(check(&held, "http://127.0.0.1/"), Err(Forbidden::Kind(_))));
    }

    #[test]
    fn what_somebody_else_names_may_not_stand_in_a_private_network() {
        let strict = Policy { keeps_out_private: true, ..policy("", "10.9.0.0/16") };
        for host in ["10.1.2.3", "172.16.9.9", "192.168.0.1", "100.64.0.1", "[fd12::1]", "127.1"] {
            assert!(check(&strict, &format!("https://{host}/")).is_err(), "{host}");
        }
        for host in ["10.9.2.3", "203.0.113.7", "[2001:db8::1]"] {
            assert_eq!(check(&strict, &format!("https://{host}/")), Ok(()), "{host}");
        }
    }

    #[test]
    fn of_several_addresses_only_the_good_ones_are_left() {
        let found = ["127.0.0.1", "10.0.0.7", "::1"].map(|text| text.parse().unwrap());
        let good = policy("", "").admit(&found).unwrap();
        assert_eq!(good, ["10.0.0.7:0".parse().unwrap()]);
        assert!(policy("", "").admit(&found[..1]).is_err());
        assert_eq!(policy("", "").admit(&[]), Ok(Vec::new()));
    }

    #[test]
    fn networks_are_read_and_mistakes_told() {
        assert_eq!(networks(" , ").0.len(), 0, "a variable that is empty stands for nothing");
        assert_eq!(networks("10.0.0.0/8, fd00::/8,192.0.2.1").0.len(), 3);
        for wrong in
            ["10.0.0.0/33", "10.0.0.1/8", "ten", "0.0.0.0/0", "::/0", "10.0.0.0/", "fd00::1/8"]
        {
            assert!(wrong.parse::<Networks>().is_err(), "{wrong}");
        }
        assert!(serde_saphyr::from_str::<Networks>("['${X}']").is_err());
        assert_eq!(serde_saphyr::from_str::<Networks>("['']").unwrap(), Networks::default());
    }
}
