//! The certificates of a host that is spoken to by TLS: how long they are good, and who can read our key.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::findings::Finding;
use crate::clock::Clock;
use crate::domain::time::Timestamp;
use crate::pool::endpoint::{Ending, Endpoint};

/// Time before the end of a certificate from which on it should be renewed.
const SOON: Duration = Duration::from_hours(14 * 24);

/// What is found without an error of the connection itself, which the look at the engine tells.
pub(super) async fn look(endpoint: &Endpoint) -> Vec<Finding> {
    let address = &endpoint.url;
    let mut findings = Vec::new();
    if endpoint.is_open() {
        let advice = "let it speak TLS (docs/operating.md), or keep it in a network of your own";
        let text = format!("{address}: all who reach its port are root there");
        findings.push(Finding::warning(text, advice));
    }
    let Some(folder) = &endpoint.certs else { return findings };
    let key = folder.join("key.pem");
    if std::fs::metadata(&key).is_ok_and(|metadata| metadata.permissions().mode() & 0o007 != 0) {
        let text = format!("{address}: the key {} is open to others", key.display());
        let advice = format!("chmod 600 {}; who has read it is root on the engine's machine", key.display());
        findings.push(Finding::fault(text, advice));
    }
    let now = Clock::System.now();
    let ending = endpoint.ending_certificates(now.plus(SOON)).await.unwrap_or_default();
    findings.extend(ending.into_iter().map(|ending| judge(address, &ending, now)));
    findings
}

fn judge(address: &str, ending: &Ending, now: Timestamp) -> Finding {
    let Ending { certificate, at } = ending;
    let advice = "renew it as docs/operating.md says; files of ours are read at the next connect";
    if *at <= now {
        Finding::fault(format!("{address}: the certificate of {certificate} expired at {at}"), advice)
    } else {
        Finding::warning(format!("{address}: the certificate of {certificate} ends at {at}"), advice)
    }
}
