//! What users ask and are answered.

use std::time::Duration;

use guichet::app::Role;
use guichet::domain::verdict::Verdict;
use guichet::legacy::websocket::ErrorTarget;

use super::lounge::{Lounge, OK, Plan, ask, error, executed, not_understood, place, refused};

#[tokio::test]
async fn who_proves_who_he_is_is_told_ok_and_then_where_all_that_he_queued_stands() {
    let lounge = Lounge::open().await;
    lounge.queue("alice", "12").await;
    let second = lounge.queue("alice", "").await.to_string();
    let mut alice = lounge.connect().await;

    alice.auth(&lounge.token("alice")).await;

    assert_eq!(alice.packets(3).await, [OK.to_owned(), place("12", 1), place(&second, 2)]);
    assert!(alice.is_quiet().await);
}

#[tokio::test]
async fn a_token_that_is_bad_or_over_or_missing_is_401_and_another_may_follow() {
    let lounge = Lounge::open().await;
    let expired = lounge.house.expired_token("alice", Role::Student);
    let mut alice = lounge.connect().await;
    for packet in [
        r#"{"cmd":"AUTH","TOKEN":"TOKEN_UTILISATEUR"}"#.to_owned(),
        format!(r#"{{"cmd":"AUTH","TOKEN":"{expired}"}}"#),
        r#"{"cmd":"AUTH"}"#.to_owned(),
        r#"{"cmd":"AUTH","TOKEN":7}"#.to_owned(),
    ] {
        assert_eq!(alice.ask(&packet).await, refused(), "{packet}");
    }

    alice.auth(&lounge.token("alice")).await;

    assert_eq!(alice.packet().await, OK);
}

#[tokio::test]
async fn every_command_before_auth_is_401() {
    let lounge = Lounge::open().await;
    lounge.queue("alice", "12").await;
    let mut nobody = lounge.connect().await;

    assert_eq!(nobody.ask(&ask("12")).await, refused());
    assert_eq!(nobody.ask(r#"{"cmd":"RUN"}"#).await, refused());
}

#[tokio::test]
async fn the_fifth_401_is_sent_and_then_the_connection_is_closed() {
    let lounge = Lounge::open().await;
    let mut nobody = lounge.connect().await;
    for _ in 0..5 {
        nobody.auth("guess").await;
    }

    assert_eq!(nobody.packets(5).await, vec![refused(); 5]);
    assert_eq!(nobody.closed().await, 1008);
}

#[tokio::test]
async fn who_guesses_on_from_one_address_waits_longer_each_time_and_good_tokens_do_not() {
    let lounge = Lounge::open().await;
    let begun = std::time::Instant::now();
    for _ in 0..3 {
        let mut nobody = lounge.connect().await;
        for _ in 0..3 {
            nobody.auth("guess").await;
            assert_eq!(nobody.packet().await, refused());
        }
    }
    // The sixth to the ninth are held back by 100 ms and twice as long each.
    assert!(begun.elapsed() >= Duration::from_millis(1500), "{:?}", begun.elapsed());
    let mut others = Vec::new();
    for _ in 0..2 {
        let mut nobody = lounge.connect().await;
        nobody.auth("guess").await;
        others.push(nobody);
    }
    let mut nobody = lounge.connect().await;
    nobody.auth("guess").await;

    lounge.join("alice").await;

    assert!(nobody.is_quiet().await, "the next one is held back by five seconds");
}

#[tokio::test]
async fn a_second_auth_of_the_same_user_lasts_longer_and_tells_the_places_again() {
    let lounge = Lounge::open().await;
    lounge.queue("alice", "12").await;
    let brief = lounge.house.token_for("alice", Role::Student, Duration::from_secs(4));
    let mut alice = lounge.join_with(&brief).await;
    assert_eq!(alice.packet().await, place("12", 1));

    alice.auth(&lounge.token("alice")).await;

    assert_eq!(alice.packets(2).await, [OK.to_owned(), place("12", 1)]);
    tokio::time::timeout(Duration::from_secs(5), alice.stream.peek(&mut [0])).await.expect_err("no 401");
    assert_eq!(alice.ask(&ask("12")).await, place("12", 1));
}

#[tokio::test]
async fn a_second_auth_of_another_user_is_401_and_the_first_stays() {
    let lounge = Lounge::open().await;
    lounge.queue("alice", "12").await;
    let mut alice = lounge.join("alice").await;
    assert_eq!(alice.packet().await, place("12", 1));

    alice.auth(&lounge.token("bob")).await;

    assert_eq!(alice.packet().await, refused());
    lounge.queue("bob", "7").await;
    assert_eq!(alice.ask(&ask("7")).await, error(403, "EXERCICE", "7"));
    assert_eq!(alice.ask(&ask("12")).await, place("12", 1));
}

#[tokio::test]
async fn when_a_token_is_over_its_user_is_told_401_and_nothing_more_until_he_comes_back() {
    let lounge = Lounge::open().await;
    let brief = lounge.house.token_for("alice", Role::Student, Duration::from_secs(3));
    let mut alice = lounge.join_with(&brief).await;
    assert_eq!(alice.packet().await, refused());

    lounge.queue("alice", "12").await;

    assert!(alice.is_quiet().await);
    assert_eq!(alice.ask(&ask("12")).await, refused());
    alice.auth(&lounge.token("bob")).await;
    assert_eq!(alice.packet().await, refused());
    alice.auth(&lounge.token("alice")).await;
    assert_eq!(alice.packets(2).await, [OK.to_owned(), place("12", 1)]);
}

#[tokio::test]
async fn what_nobody_understands_is_404_and_the_connection_stays() {
    let lounge = Lounge::open().await;
    let mut alice = lounge.join("alice").await;
    let deep = "[".repeat(50_000);
    for text in [
        "",
        "AUTH",
        "[]",
        "{}",
        "null",
        r#"{"cmd":null}"#,
        r#"{"cmd":"RUN","id":"1"}"#,
        r#"{"cmd":"OK"}"#,
        r#"{"cmd":"PLACE_IN_QUEUE"}"#,
        r#"{"cmd":"PLACE_IN_QUEUE","user_exercice_id":"1","user_exercice_id":"2"}"#,
        r#"{"class":"java.lang.Runtime","cmd":{"class":"java.lang.String","value":"AUTH"}}"#,
        "{cmd:AUTH,TOKEN:x}",
        &deep,
    ] {
        assert_eq!(alice.ask(text).await, not_understood(), "{text:.40}");
    }

    assert_eq!(alice.ask(&ask("12")).await, error(404, "EXERCICE", "12"));
}

#[tokio::test]
async fn twenty_packets_in_a_minute_that_nobody_understands_are_too_many() {
    let lounge = Lounge::open().await;
    let mut nobody = lounge.connect().await;
    for _ in 0..20 {
        assert_eq!(nobody.ask("?").await, not_understood());
    }

    assert_eq!(nobody.closed().await, 1008);
}

#[tokio::test]
async fn a_place_that_is_asked_for_is_told_and_then_ok() {
    let lounge = Lounge::open().await;
    lounge.queue("bob", "1").await;
    let id = lounge.queue("alice", "12").await;
    let mut alice = lounge.join("alice").await;
    alice.packet().await;
    for asked in ["\"12\"", "12", &format!("\"{id}\"")] {
        let packet = format!(r#"{{"place":null,"user_exercice_id":{asked},"cmd":"PLACE_IN_QUEUE","id":1}}"#);

        alice.send(&packet).await;

        assert_eq!(alice.packets(2).await, [place("12", 2), OK.to_owned()], "{asked}");
    }
}

#[tokio::test]
async fn of_two_with_one_id_the_newest_is_meant() {
    let lounge = Lounge::open().await;
    let mut alice = lounge.join("alice").await;
    lounge.queue_at("default", "alice", "12").await;
    lounge.queue_at("other", "alice", "12").await;
    alice.until(&place("12", 2)).await;

    alice.send(&ask("12")).await;

    assert_eq!(alice.packets(2).await, [place("12", 2), OK.to_owned()]);
}

#[tokio::test]
async fn a_place_of_what_is_not_queued_is_ok_alone() {
    let lounge = Lounge::open().await;
    let mut alice = lounge.join("alice").await;
    lounge.queue("alice", "12").await;
    let lease = lounge.start().await;
    alice.until(&place("12", 1)).await;
    assert_eq!(alice.ask(&ask("12")).await, OK);

    lounge.finish(&lease, Verdict::Accepted).await;

    assert_eq!(alice.packet().await, executed("12"));
    assert_eq!(alice.ask(&ask("12")).await, OK);
}

#[tokio::test]
async fn what_is_another_users_is_403_for_every_role_and_what_nobody_has_is_404() {
    let lounge = Lounge::open().await;
    let id = lounge.queue("alice", "12").await.to_string();
    for role in Role::ALL {
        let mut bob = lounge.join_with(&lounge.house.token("bob", role)).await;

        assert_eq!(bob.ask(&ask("12")).await, error(403, "EXERCICE", "12"));
        assert_eq!(bob.ask(&ask(&id)).await, error(403, "EXERCICE", &id));
        assert_eq!(bob.ask(&ask("13")).await, error(404, "EXERCICE", "13"));
        assert_eq!(bob.ask(&ask("")).await, error(404, "EXERCICE", ""));
    }
}

#[tokio::test]
async fn his_own_comes_before_another_s_of_the_same_id() {
    let lounge = Lounge::open().await;
    lounge.queue_at("default", "alice", "12").await;
    lounge.queue_at("other", "bob", "12").await;
    let mut alice = lounge.join("alice").await;
    alice.packet().await;

    assert_eq!(alice.ask(&ask("12")).await, place("12", 1));
}

#[tokio::test]
async fn the_target_of_errors_is_spelled_as_the_settings_say() {
    let lounge = Lounge::of(Plan { error_target: ErrorTarget::Exercise, ..Plan::default() }).await;
    let mut alice = lounge.join("alice").await;

    assert_eq!(alice.ask(&ask("13")).await, error(404, "EXERCISE", "13"));
}

#[tokio::test]
async fn a_fault_of_ours_is_500_other() {
    let lounge = Lounge::open().await;
    let mut alice = lounge.join("alice").await;
    lounge.house.storage.close().await;

    alice.send(&ask("12")).await;

    assert_eq!(alice.packet().await, error(500, "OTHER", "N/A"));
}

#[tokio::test]
async fn each_auth_is_answered_though_what_is_the_user_s_cannot_be_read() {
    let lounge = Lounge::open().await;
    let mut alice = lounge.connect().await;
    lounge.house.storage.close().await;

    for _ in 0..2 {
        alice.auth(&lounge.token("alice")).await;

        assert_eq!(alice.packet().await, error(500, "OTHER", "N/A"));
    }
}

#[tokio::test]
async fn nobody_asks_faster_than_by_rest() {
    let lounge = Lounge::open().await;
    let mut alice = lounge.join("alice").await;
    let begun = std::time::Instant::now();

    for _ in 0..205 {
        alice.send(&ask("12")).await;
    }
    alice.packets(205).await;

    assert!(begun.elapsed() >= Duration::from_secs(3), "{:?}", begun.elapsed());
}
