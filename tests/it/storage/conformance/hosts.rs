//! What is stored of Docker hosts.

use std::num::NonZeroU32;

use guichet::domain::host::{HostMode, HostName, HostSettings, HostSource, HostUpdate, HostWishes};
use guichet::storage::Storage;

use crate::storage::factory::at;

fn name(name: &str) -> HostName {
    name.parse().unwrap()
}

/// A host of the settings, heard of so many seconds after the beginning.
fn configured(host: &str, seconds: i64) -> HostSettings {
    HostSettings {
        name: name(host),
        url: format!("unix:///{host}"),
        certs: None,
        slots: None,
        source: HostSource::Config,
        mode: HostMode::Active,
        created_at: at(seconds),
    }
}

/// A host of the API.
fn added(host: &str, seconds: i64) -> HostSettings {
    HostSettings {
        url: format!("tcp://{host}:2376"),
        certs: Some("fleet".parse().unwrap()),
        slots: NonZeroU32::new(3),
        source: HostSource::Api,
        mode: HostMode::Cordoned,
        ..configured(host, seconds)
    }
}

fn to_mode(mode: HostMode) -> HostUpdate {
    HostUpdate { mode: Some(mode), slots: None }
}

fn wishes(mode: HostMode, slots: u32) -> HostWishes {
    HostWishes { mode, slots: NonZeroU32::new(slots) }
}

pub async fn a_host_of_the_settings_keeps_what_an_operator_wants_and_its_age(db: &impl Storage) {
    let new = db.remember_hosts(vec![configured("far", 1), configured("near", 1)]).await.unwrap();
    let first = db.update_host(&name("far"), to_mode(HostMode::Cordoned)).await.unwrap();
    let slots = HostUpdate { mode: None, slots: Some(NonZeroU32::new(2)) };
    let second = db.update_host(&name("far"), slots).await.unwrap();

    let of_settings = HostSettings { slots: NonZeroU32::new(9), ..configured("far", 2) };
    let known = vec![configured("near", 2), configured("new", 2), of_settings.clone()];
    let known = db.remember_hosts(known).await.unwrap();

    assert_eq!(new, [configured("far", 1), configured("near", 1)]);
    assert_eq!(first, Some(wishes(HostMode::Active, 0)));
    assert_eq!(second, Some(wishes(HostMode::Cordoned, 0)));
    let far = HostSettings { mode: HostMode::Cordoned, slots: NonZeroU32::new(2), ..configured("far", 1) };
    assert_eq!(known, [configured("near", 1), configured("new", 2), far]);
    let default = HostUpdate { mode: None, slots: Some(None) };
    db.update_host(&name("far"), default).await.unwrap();
    let far = db.remember_hosts(vec![of_settings]).await.unwrap();
    assert_eq!(far[0].slots, NonZeroU32::new(9));
}

pub async fn a_host_that_is_not_known_cannot_be_changed(db: &impl Storage) {
    assert_eq!(db.update_host(&name("far"), to_mode(HostMode::Cordoned)).await.unwrap(), None);
    assert!(!db.remove_host(&name("far")).await.unwrap());

    assert_eq!(db.remember_hosts(vec![]).await.unwrap(), []);
}

pub async fn what_the_settings_name_no_more_is_forgotten(db: &impl Storage) {
    db.remember_hosts(vec![configured("far", 1)]).await.unwrap();
    db.update_host(&name("far"), to_mode(HostMode::Draining)).await.unwrap();

    assert_eq!(db.remember_hosts(vec![]).await.unwrap(), []);

    assert_eq!(db.remember_hosts(vec![configured("far", 2)]).await.unwrap(), [configured("far", 2)]);
}

pub async fn an_added_host_is_kept_whole_until_it_is_removed(db: &impl Storage) {
    assert!(db.add_host(added("second", 2)).await.unwrap());
    assert!(db.add_host(added("first", 1)).await.unwrap());

    let all = db.remember_hosts(vec![configured("near", 3)]).await.unwrap();
    assert_eq!(all, [configured("near", 3), added("first", 1), added("second", 2)]);
    let before = db.update_host(&name("first"), to_mode(HostMode::Active)).await.unwrap();
    assert_eq!(before, Some(wishes(HostMode::Cordoned, 3)));
    assert!(db.remove_host(&name("second")).await.unwrap());
    let all = db.remember_hosts(vec![]).await.unwrap();
    assert_eq!(all, [HostSettings { mode: HostMode::Active, ..added("first", 1) }]);
}

pub async fn a_host_is_not_added_under_the_name_of_another(db: &impl Storage) {
    db.remember_hosts(vec![configured("near", 1)]).await.unwrap();
    db.add_host(added("far", 1)).await.unwrap();

    for host in ["near", "far"] {
        let other = HostSettings { url: "unix:///other".to_owned(), ..added(host, 2) };
        assert!(!db.add_host(other).await.unwrap(), "{host}");
    }

    let all = db.remember_hosts(vec![configured("near", 3)]).await.unwrap();
    assert_eq!(all, [configured("near", 1), added("far", 1)]);
}

pub async fn a_host_of_the_settings_is_not_removed(db: &impl Storage) {
    db.remember_hosts(vec![configured("near", 1)]).await.unwrap();

    assert!(!db.remove_host(&name("near")).await.unwrap());

    assert_eq!(db.remember_hosts(vec![configured("near", 2)]).await.unwrap(), [configured("near", 1)]);
}

pub async fn hosts_whose_name_or_url_the_settings_take_over_are_theirs(db: &impl Storage) {
    db.add_host(added("by-name", 1)).await.unwrap();
    db.add_host(HostSettings { url: "unix:///by-url".to_owned(), ..added("other", 1) }).await.unwrap();

    let all = db.remember_hosts(vec![configured("by-name", 2), configured("by-url", 2)]).await.unwrap();

    let kept =
        HostSettings { mode: HostMode::Cordoned, slots: NonZeroU32::new(3), ..configured("by-name", 1) };
    assert_eq!(all, [kept, configured("by-url", 2)]);
    assert!(!db.remove_host(&name("by-name")).await.unwrap(), "it is the settings'");
}
