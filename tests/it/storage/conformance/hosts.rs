//! What is remembered of Docker hosts.

use guichet::domain::host::{HostMode, HostName, RememberedHost};
use guichet::domain::time::Timestamp;
use guichet::storage::Storage;

use crate::storage::factory::at;

fn name(name: &str) -> HostName {
    name.parse().unwrap()
}

fn remembered(host: &str, mode: HostMode, created_at: Timestamp) -> RememberedHost {
    RememberedHost { name: name(host), mode, created_at }
}

pub async fn a_host_keeps_its_mode_and_the_instant_it_was_first_heard_of(db: &impl Storage) {
    let new = db.remember_hosts(vec![name("far"), name("near")], at(1)).await.unwrap();
    let before = db.set_host_mode(&name("far"), HostMode::Cordoned).await.unwrap();
    let later = db.set_host_mode(&name("far"), HostMode::Draining).await.unwrap();

    let known = db.remember_hosts(vec![name("near"), name("new"), name("far")], at(2)).await.unwrap();

    let active = |host, created_at| remembered(host, HostMode::Active, created_at);
    assert_eq!(new, [active("far", at(1)), active("near", at(1))]);
    assert_eq!((before, later), (Some(HostMode::Active), Some(HostMode::Cordoned)));
    let far = remembered("far", HostMode::Draining, at(1));
    assert_eq!(known, [active("near", at(1)), active("new", at(2)), far]);
}

pub async fn a_host_that_is_not_remembered_has_no_mode(db: &impl Storage) {
    let before = db.set_host_mode(&name("far"), HostMode::Cordoned).await.unwrap();

    assert_eq!(before, None);
    let new = db.remember_hosts(vec![name("far")], at(1)).await.unwrap();
    assert_eq!(new, [remembered("far", HostMode::Active, at(1))]);
}
