//! One question: answered here, refused, or passed on.

use std::net::IpAddr;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, PTR};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use super::zone::{View, Zones};

/// How long an answer may be remembered, seconds; Docker's.
const TTL: u32 = 600;

/// The most that is sent in one datagram to someone who did not say otherwise; RFC 1035.
const DATAGRAM: u16 = 512;

/// By which way a question came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A long answer is cut, and says so.
    Udp,
    /// It is sent whole.
    Tcp,
}

/// What is done with a question.
#[derive(Debug)]
pub enum Answer {
    /// This is sent back.
    Local(Vec<u8>),
    /// Somebody else is asked.
    Forward,
    /// It was no question: nothing is sent.
    Nothing,
}

/// Decides on a question.
pub fn answer(question: &[u8], zones: &Zones, view: &View, way: Way) -> Answer {
    let Ok(message) = Message::from_vec(question) else {
        return malformed(question);
    };
    if message.metadata.message_type != MessageType::Query {
        return Answer::Nothing;
    }
    if message.metadata.op_code != OpCode::Query {
        return send(refusal(&message, ResponseCode::NotImp), way, DATAGRAM);
    }
    let [query] = message.queries.as_slice() else {
        return send(refusal(&message, ResponseCode::FormErr), way, DATAGRAM);
    };
    let Some(records) = records(query, zones, view) else {
        return Answer::Forward;
    };
    let mut response = refusal(&message, ResponseCode::NoError);
    response.add_query(query.clone());
    response.metadata.recursion_available = true;
    response.add_answers(records);
    let room = message.edns.as_ref().map_or(DATAGRAM, |edns| {
        // RFC 6891: less than 512 means 512.
        edns.max_payload().max(DATAGRAM)
    });
    send(response, way, room)
}

/// The answer that nobody can be asked.
pub fn failure(question: &[u8]) -> Option<Vec<u8>> {
    let message = Message::from_vec(question).ok()?;
    let mut response = refusal(&message, ResponseCode::ServFail);
    response.add_queries(message.queries.iter().cloned());
    response.to_vec().ok()
}

/// Whether these bytes answer this question: same number, same question.
pub fn answers(question: &[u8], response: &[u8]) -> bool {
    let (Ok(asked), Ok(told)) = (Message::from_vec(question), Message::from_vec(response)) else {
        return false;
    };
    told.metadata.id == asked.metadata.id
        && told.metadata.message_type == MessageType::Response
        && told.queries == asked.queries
}

/// What the networks know about a question; `None` when they know nothing of the name.
fn records(query: &Query, zones: &Zones, view: &View) -> Option<Vec<Record>> {
    if query.query_class != DNSClass::IN {
        return None;
    }
    let name = &query.name;
    let record = |data| Record::from_rdata(name.clone(), TTL, data);
    if query.query_type == RecordType::PTR {
        let told = zones.name_of(view, reverse(name)?)?;
        let told = Name::from_ascii(format!("{told}.")).ok()?;
        return Some(vec![record(RData::PTR(PTR(told)))]);
    }
    let text = name.to_ascii();
    let addresses = zones.find(view, text.trim_end_matches('.'))?;
    let of_kind = addresses.into_iter().filter_map(|address| {
        match (query.query_type, address) {
            (RecordType::A, IpAddr::V4(address)) => Some(RData::A(A(address))),
            (RecordType::AAAA, IpAddr::V6(address)) => Some(RData::AAAA(AAAA(address))),
            // The name is known, and has nothing of this kind: nobody else is asked.
            _ => None,
        }
    });
    Some(of_kind.map(record).collect())
}

/// The address of a name below `in-addr.arpa` or `ip6.arpa`.
fn reverse(name: &Name) -> Option<IpAddr> {
    let network = name.parse_arpa_name().ok()?;
    let whole = match network.addr() {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    };
    (network.prefix_len() == whole).then(|| network.addr())
}

/// The head of an answer to a question.
fn refusal(question: &Message, code: ResponseCode) -> Message {
    let asked = &question.metadata;
    let mut response = Message::error_msg(asked.id, asked.op_code, code);
    response.metadata.recursion_desired = asked.recursion_desired;
    response
}

fn send(response: Message, way: Way, room: u16) -> Answer {
    let whole = response.to_vec();
    let Ok(bytes) = whole else {
        return Answer::Nothing;
    };
    if way == Way::Tcp || bytes.len() <= room.into() {
        return Answer::Local(bytes);
    }
    // A resolver that reads this asks again over TCP.
    let cut = response.truncate();
    cut.to_vec().map_or(Answer::Nothing, Answer::Local)
}

/// Bytes that are no message: whoever sent a whole head learns so.
fn malformed(question: &[u8]) -> Answer {
    let Some([a, b, flags, ..]) = question.first_chunk::<12>() else {
        return Answer::Nothing;
    };
    if flags & 0x80 != 0 {
        return Answer::Nothing;
    }
    let id = u16::from_be_bytes([*a, *b]);
    let response = Message::error_msg(id, OpCode::Query, ResponseCode::FormErr);
    response.to_vec().map_or(Answer::Nothing, Answer::Local)
}

#[cfg(test)]
mod tests {
    use super::super::zone::Host;
    use super::*;
    use std::collections::BTreeMap;

    fn zones(replicas: u8) -> (Zones, View) {
        let mut zones = Zones::default();
        for n in 0..replicas {
            let host = Host {
                names: vec![format!("web-{n}"), "web".to_owned()],
                addresses: vec![IpAddr::from([10, 0, 0, n])],
            };
            zones.enter("n", "front", &format!("c{n}"), host);
        }
        (zones, vec![("n".to_owned(), BTreeMap::new())])
    }

    fn ask(name: &str, kind: RecordType, replicas: u8, way: Way) -> Option<Message> {
        let mut question = Message::new(7, MessageType::Query, OpCode::Query);
        question.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        let (zones, view) = zones(replicas);
        match answer(&question.to_vec().unwrap(), &zones, &view, way) {
            Answer::Local(bytes) => Some(Message::from_vec(&bytes).unwrap()),
            Answer::Forward => None,
            Answer::Nothing => panic!("no answer"),
        }
    }

    #[test]
    fn a_known_name_is_answered() {
        let told = ask("web-1.", RecordType::A, 2, Way::Udp).unwrap();
        assert_eq!((told.metadata.id, told.answers.len()), (7, 1));
        assert_eq!(told.metadata.response_code, ResponseCode::NoError);
        let none = ask("web-1.", RecordType::AAAA, 2, Way::Udp).unwrap();
        assert!(none.answers.is_empty());
        assert_eq!(none.metadata.response_code, ResponseCode::NoError);
    }

    #[test]
    fn an_address_is_named() {
        let told = ask("1.0.0.10.in-addr.arpa.", RecordType::PTR, 2, Way::Udp).unwrap();
        assert!(told.answers[0].to_string().contains("web-1.front."));
        assert!(ask("9.9.9.9.in-addr.arpa.", RecordType::PTR, 2, Way::Udp).is_none());
    }

    #[test]
    fn other_names_are_passed_on() {
        assert!(ask("example.org.", RecordType::A, 2, Way::Udp).is_none());
    }

    #[test]
    fn a_long_answer_is_cut_in_a_datagram_only() {
        let cut = ask("web.", RecordType::A, 200, Way::Udp).unwrap();
        assert!(cut.metadata.truncation);
        let whole = ask("web.", RecordType::A, 200, Way::Tcp).unwrap();
        assert_eq!(whole.answers.len(), 200);
    }

    #[test]
    fn noise_is_refused() {
        let (zones, view) = zones(1);
        let reply = |bytes: &[u8]| answer(bytes, &zones, &view, Way::Udp);
        assert!(matches!(reply(&[1, 2, 3]), Answer::Nothing));
        assert!(matches!(reply(&[0xff; 40]), Answer::Nothing));
        let mut question = vec![0; 12];
        question[5] = 9;
        assert!(matches!(reply(&question), Answer::Local(_)));
    }
}
