//! What all records of one connection say of its client: written once, and anew only where the client names itself otherwise.
//! Knows nothing of requests.

use std::borrow::Cow;
use std::net::SocketAddr;

use super::members::{Key, Members, key};
use super::moment;
use super::redact::{Redactor, Shown};
use crate::docker::Head;
use crate::policy::Subject;

/// A client, as its records show it.
#[derive(Debug, Clone)]
pub struct Who<'a> {
    subject: &'a Subject,
    exe: Option<Shown<'a>>,
    tls_subject: Option<Shown<'a>>,
    /// As the last request had it, and how it is shown.
    agent: Option<(String, Shown<'static>)>,
    text: String,
    lasting: String,
}

impl<'a> Who<'a> {
    /// The client of a connection.
    pub fn new(subject: &'a Subject, redactor: &Redactor) -> Self {
        let mut who = Self {
            subject,
            exe: subject.exe.as_deref().map(|text| redactor.text(text)),
            tls_subject: subject.tls.as_ref().map(|holder| redactor.text(&holder.subject)),
            agent: None,
            text: String::new(),
            lasting: String::new(),
        };
        who.write();
        who
    }

    /// The head of its next request: nearly always it names itself as before.
    pub fn asks(&mut self, head: Option<&Head>, redactor: &Redactor) {
        let named = head.and_then(|head| head.user_agent.as_deref());
        if named == self.agent.as_ref().map(|(named, _)| named.as_str()) {
            return;
        }
        let shown = |text: &str| {
            let shown = redactor.text(text);
            Shown { text: Cow::Owned(shown.text.into_owned()), hidden: shown.hidden }
        };
        self.agent = named.map(|text| (text.to_owned(), shown(text)));
        self.write();
    }

    /// The client itself.
    pub(super) fn subject(&self) -> &'a Subject {
        self.subject
    }

    /// The members, each with a comma before it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The same without what differs between two connections of the same client: process and port.
    pub(super) fn lasting(&self) -> &str {
        &self.lasting
    }

    /// The members in which something was hidden.
    pub(super) fn hidden(&self) -> impl Iterator<Item = &'static str> {
        let hidden = |name, shown: Option<&Shown<'_>>| shown.is_some_and(|shown| shown.hidden).then_some(name);
        let agent = self.agent.as_ref().map(|(_, shown)| shown);
        [hidden("exe", self.exe.as_ref()), hidden("tls_subject", self.tls_subject.as_ref()), hidden("user_agent", agent)]
            .into_iter()
            .flatten()
    }

    fn write(&mut self) {
        let (mut text, mut lasting) = (String::with_capacity(256), String::with_capacity(256));
        self.members(&mut Members::after(&mut text), Part::All);
        self.members(&mut Members::after(&mut lasting), Part::Lasting);
        (self.text, self.lasting) = (text, lasting);
    }

    fn members(&self, out: &mut Members<'_>, part: Part) {
        let shown = |out: &mut Members<'_>, key: Key, shown: &Shown<'_>| out.text(key, &shown.text);
        let peer = self.subject.peer;
        out.text(key!("host"), moment::host());
        out.text(key!("door"), &self.subject.door);
        out.some(key!("uid"), peer.map(|peer| peer.uid), Members::number);
        out.some(key!("gid"), peer.map(|peer| peer.gid), Members::number);
        out.some(key!("pid"), peer.and_then(|peer| peer.pid).filter(|_| part == Part::All), Members::number);
        out.some(key!("exe"), self.exe.as_ref(), shown);
        out.some(key!("tls_subject"), self.tls_subject.as_ref(), shown);
        out.some(key!("address"), self.subject.address.as_ref(), |out, key, address: &SocketAddr| match part {
            Part::All => out.shown(key, address),
            Part::Lasting => out.shown(key, &address.ip()),
        });
        out.some(key!("user_agent"), self.agent.as_ref().map(|(_, agent)| agent), shown);
    }
}

/// How much of a client is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    Lasting,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::subject::{Certificate, Peer};

    fn subject() -> Subject {
        Subject {
            door: "unix:///run/\"a\".sock".to_owned(),
            peer: Some(Peer { uid: 1, gid: 2, pid: Some(3) }),
            address: Some("10.0.0.1:4711".parse().unwrap()),
            exe: Some("/bin/x".to_owned()),
            tls: Some(Certificate { subject: "CN=x".to_owned(), ..Certificate::default() }),
            ..Subject::default()
        }
    }

    fn head(agent: &str) -> Head {
        Head::parse(format!("GET /_ping HTTP/1.1\r\nHost: a\r\n{agent}\r\n").as_bytes()).unwrap().unwrap().0
    }

    fn object(members: &str) -> serde_json::Value {
        serde_json::from_str(&format!("{{\"a\":1{members}}}")).unwrap()
    }

    #[test]
    fn writes_what_is_known_of_a_client_and_of_its_lasting_traits_neither_process_nor_port() {
        let (subject, redactor) = (subject(), Redactor::new([7; 32]));
        let mut who = Who::new(&subject, &redactor);
        who.asks(Some(&head("User-Agent: one\r\n")), &redactor);
        let all = object(who.text());
        assert_eq!((&all["door"], &all["pid"], &all["address"]), (&"unix:///run/\"a\".sock".into(), &3.into(), &"10.0.0.1:4711".into()));
        assert_eq!((&all["exe"], &all["user_agent"], &all["uid"]), (&"/bin/x".into(), &"one".into(), &1.into()));
        let lasting = object(who.lasting());
        assert_eq!((lasting.get("pid"), &lasting["address"], &lasting["user_agent"]), (None, &"10.0.0.1".into(), &"one".into()));
    }

    #[test]
    fn follows_what_the_client_calls_itself_and_hides_secrets_in_it() {
        let (subject, redactor) = (subject(), Redactor::new([7; 32]));
        let mut who = Who::new(&subject, &redactor);
        for (agent, shown) in [("User-Agent: one\r\n", Some("one")), ("User-Agent: two\r\n", Some("two")), ("", None)] {
            who.asks(Some(&head(agent)), &redactor);
            assert_eq!(object(who.text()).get("user_agent").and_then(|agent| agent.as_str()), shown);
        }
        who.asks(Some(&head("User-Agent: x ghp_0123456789abcdefghijABCDEFGHIJ456789\r\n")), &redactor);
        assert!(!who.text().contains("0123456789abcdefghij"));
        assert!(who.hidden().any(|member| member == "user_agent"));
    }
}
