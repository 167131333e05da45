//! Who may read a published port: a ticket of the exercise's page becomes a cookie of that origin.
//!
//! The platform's own cookie is never sent to a published origin, so the learner's page hands a
//! ticket over in an address, good once and for a minute. What it is exchanged for is `HttpOnly`
//! and good for this one origin; it ends with the session that asked for the ticket.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

use super::address::Address;
use super::refusal::Refusal;
use crate::app::Shared;
use crate::session::cookie::{Token, TokenHash};

/// Where tickets are exchanged, on every published origin.
pub(super) const ENTRANCE: &str = "/.quai-ouvrir";
/// The cookie of a published origin.
pub(super) const COOKIE: &str = "quai-publie";

/// How long a ticket is good.
const GOOD: Duration = Duration::from_secs(60);
/// Tickets that wait; a page that asks for more loses the oldest.
const MOST: usize = 1024;

/// Tickets that were given and not used.
#[derive(Default)]
pub(crate) struct Tickets(Mutex<HashMap<TokenHash, Ticket>>);

struct Ticket {
    session: TokenHash,
    address: Address,
    until: Instant,
}

impl Tickets {
    /// Draws a ticket to `address` for a session.
    pub(crate) fn draw(
        &self,
        session: TokenHash,
        address: Address,
    ) -> Result<Token, getrandom::Error> {
        let token = Token::draw()?;
        let now = Instant::now();
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.retain(|_, ticket| ticket.until > now);
        if tickets.len() >= MOST {
            let oldest = tickets.iter().min_by_key(|(_, ticket)| ticket.until);
            let oldest = oldest.map(|(hash, _)| hash.clone());
            oldest.and_then(|hash| tickets.remove(&hash));
        }
        let ticket = Ticket {
            session,
            address,
            until: now + GOOD,
        };
        tickets.insert(token.hash(), ticket);
        Ok(token)
    }

    /// Takes a ticket: the session that asked for it, when it leads to `address`. Shown at another
    /// address it is lost as well.
    fn take(&self, token: &Token, address: &Address) -> Option<TokenHash> {
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = tickets.remove(&token.hash())?;
        (ticket.until > Instant::now() && ticket.address == *address).then_some(ticket.session)
    }
}

/// Where a browser takes its ticket to; the query of [`ENTRANCE`].
pub(crate) fn entrance(origin: &str, ticket: Token) -> String {
    format!("{origin}{ENTRANCE}?ticket={}", ticket.into_text())
}

/// Exchanges the ticket in `query` for the cookie, and leads to the page.
pub(super) async fn enter(
    app: &Shared,
    address: &Address,
    query: Option<&str>,
) -> Result<Response, Refusal> {
    let ticket = query
        .and_then(|query| query.strip_prefix("ticket="))
        .and_then(Token::parse)
        .ok_or(Refusal::NoPass)?;
    let session = app.published.tickets.take(&ticket, address);
    let session = session.ok_or(Refusal::NoPass)?;
    let token = Token::draw().map_err(Refusal::Random)?;
    app.progress
        .open_pass(token.hash(), session, address.clone())
        .await?;
    let mut response = super::redirect("/");
    // Lax, since the learner comes from another site, the platform's; what other sites embed, post
    // or open as a socket goes without it.
    let line = format!(
        "{COOKIE}={}; Path=/; HttpOnly; SameSite=Lax",
        token.into_text()
    );
    let line = HeaderValue::from_str(&line).expect("hexadecimal digits are header text");
    response.headers_mut().append(header::SET_COOKIE, line);
    Ok(response)
}

/// The port that the cookie of a request opens.
pub(super) async fn find(app: &Shared, headers: &HeaderMap) -> Result<Option<Address>, Refusal> {
    match Token::read_named(COOKIE, headers) {
        Some(token) => Ok(app.progress.pass(token.hash()).await?),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::identity::MachineId;

    fn address(port: u16) -> Address {
        let machine = MachineId::parse("m-0123456789ab").unwrap();
        Address { machine, port }
    }

    #[test]
    fn a_ticket_is_good_once_and_at_its_address() {
        let tickets = Tickets::default();
        let session = Token::draw().unwrap().hash();
        let ticket = tickets.draw(session.clone(), address(80)).unwrap();
        assert_eq!(tickets.take(&ticket, &address(80)), Some(session.clone()));
        assert_eq!(tickets.take(&ticket, &address(80)), None);
        let ticket = tickets.draw(session, address(80)).unwrap();
        assert_eq!(tickets.take(&ticket, &address(81)), None);
        assert_eq!(tickets.take(&ticket, &address(80)), None);
    }

    #[test]
    fn whoever_draws_many_loses_the_oldest() {
        let tickets = Tickets::default();
        let session = Token::draw().unwrap().hash();
        let first = tickets.draw(session.clone(), address(80)).unwrap();
        for _ in 0..MOST {
            tickets.draw(session.clone(), address(80)).unwrap();
        }
        assert_eq!(tickets.0.lock().unwrap().len(), MOST);
        assert_eq!(tickets.take(&first, &address(80)), None);
    }
}
