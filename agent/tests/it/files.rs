//! What stays in the work folder, and what does not.

use guichet_agent::{Reply, Request};

use crate::support::{TestAgent, keeping, shell, victim};

const LIST: &str = "cd /; find w tmp dev/shm -mindepth 1 | sort";

#[test]
fn files_are_there_with_their_folders_and_can_be_longer_than_a_frame() {
    let mut agent = TestAgent::start();
    let half = vec![b'x'; 700 << 10];
    agent.begin();
    agent.write("a/b c/d.txt", b"deep\n");
    agent.send(&[
        Request::Write { path: "big".into(), append: false, bytes: half.clone() },
        Request::Write { path: "big".into(), append: true, bytes: half },
    ]);

    let outcome = agent.run(shell("cat 'a/b c/d.txt'; wc -c < big; stat -c '%a %u' big a"));

    assert_eq!(outcome.text(), "deep\n1433600\n644 0\n1777 0\n");
}

#[test]
fn a_command_can_create_files_but_the_next_sees_none_of_them() {
    let mut agent = TestAgent::start();
    agent.begin();
    agent.write("main.txt", b"main\n");
    agent.write("data/in.txt", b"in\n");

    let first = agent.run(shell(
        "echo 1 > new && echo 1 > data/new && mkdir -p data/x/y /tmp/z && echo 1 > data/x/y/f && echo 1 > /tmp/z/f \
         && echo 1 > /dev/shm/f && ln -s /etc link && ln -s /etc data/link && mkfifo pipe && cat new",
    ));
    let second = agent.run(shell(LIST));

    assert_eq!(first.text(), "1\n", "{first:?}");
    assert_eq!(second.text(), "w/data\nw/data/in.txt\nw/main.txt\n");
    assert!(agent.end().ok);
}

#[test]
fn a_command_cannot_change_what_guichet_wrote() {
    let mut agent = TestAgent::start();
    agent.begin();
    agent.write("main.txt", b"main\n");
    agent.write("data/in.txt", b"in\n");

    agent.run(shell(
        "echo evil > main.txt; rm -rf main.txt data data/in.txt; mv main.txt x; mv data y; chmod 777 main.txt .; \
         ln main.txt z; rmdir data; mv /w /v",
    ));
    let outcome = agent.run(shell("cat main.txt data/in.txt; ls"));

    assert_eq!(outcome.text(), "main\nin\ndata\nmain.txt\n");
}

#[test]
fn what_a_compilation_makes_stays_and_cannot_be_changed() {
    let mut agent = TestAgent::start();
    agent.begin();
    agent.write("main.c", b"int main(void) { return 0; }");

    agent.run(keeping(shell(
        "printf '#!/bin/sh\\necho built\\n' > main && chmod 777 main && cp main raised && chmod 6777 raised && mkdir -p out/classes && echo c > out/classes/C \
         && echo t > /tmp/t && chmod 700 out && chmod 600 out/classes/C",
    )));
    let first = agent.run(shell(
        "./main; cat out/classes/C; echo evil > main; echo evil >> out/classes/C; echo n > out/n; rm -rf out main; \
         stat -c '%n %a %u' main out out/classes/C",
    ));
    let second = agent.run(shell("./main; cat out/classes/C; cd /; find w tmp -mindepth 1 | sort"));

    assert_eq!(first.text(), "built\nc\nmain 755 0\nout 1777 0\nout/classes/C 644 0\n");
    assert_eq!(second.text(), "built\nc\nw/main\nw/main.c\nw/out\nw/out/classes\nw/out/classes/C\n");
    assert!(agent.end().ok);
}

#[test]
fn links_and_special_files_of_a_compilation_do_not_stay() {
    let mut agent = TestAgent::start();
    agent.begin();

    agent.run(keeping(shell(
        "ln -s /usr/bin/id link; ln -s /usr folder; mkfifo pipe; echo 1 > one; ln one two; mkdir d; ln -s .. d/up",
    )));
    let outcome = agent.run(shell("ls -R | grep -v '^$'; echo owners; stat -c %u /usr/bin/id /usr"));

    let (names, owners) = outcome.text().split_once("owners\n").unwrap();
    assert!(names == ".:\nd\none\n./d:\n" || names == ".:\nd\ntwo\n./d:\n", "{names}");
    assert_eq!(owners, "0\n0\n");
}

#[test]
fn a_file_of_guichet_takes_the_place_of_what_a_compilation_made() {
    let mut agent = TestAgent::start();
    agent.begin();
    agent.run(keeping(shell("mkdir -p input/x/y; echo 1 > input/x/y/z; echo 1 > tests")));

    agent.write("input", b"theirs\n");
    agent.write("tests/one", b"one\n");

    assert_eq!(agent.run(shell("cat input tests/one; ls")).text(), "theirs\none\ninput\ntests\n");
    assert!(agent.end().ok);
}

#[test]
fn a_tree_made_to_defeat_the_cleaning_is_removed() {
    let mut agent = TestAgent::start();
    agent.begin();

    let made = agent.run(victim("nest"));
    let left = agent.run(shell(LIST));

    assert_eq!(made.report.ended, guichet_agent::Ended::Exited(0));
    assert_eq!(left.text(), "");
    assert!(agent.end().ok);
}

#[test]
fn a_tree_too_deep_to_keep_is_removed_after_a_compilation() {
    let mut agent = TestAgent::start();
    agent.begin();

    agent.run(keeping(victim("nest")));
    let left = agent.run(shell("find . -type d -printf x | wc -c; find /tmp -mindepth 1"));

    assert!(left.text().trim().parse::<u32>().unwrap() < 100, "{left:?}");
    assert!(agent.end().ok);
}

#[test]
fn all_inodes_of_a_folder_are_given_back() {
    let mut agent = TestAgent::start();
    agent.begin();

    let full = agent.run(shell("mkdir -p d/d; i=0; while : > d/d/$i; do i=$((i+1)); done 2>&-; echo $i"));
    let empty = agent.run(shell(LIST));

    assert!(full.text().trim().is_empty() || full.text().trim().parse::<u32>().unwrap() > 10_000);
    assert_eq!(empty.text(), "");
}

#[test]
fn the_next_submission_sees_nothing_of_the_last() {
    let mut agent = TestAgent::start();
    agent.begin();
    agent.write("secret", b"1");
    agent.run(keeping(shell("echo 1 > built")));
    assert!(agent.end().ok);

    let outcome = agent.run_alone(shell(LIST));

    assert_eq!(outcome.text(), "");
}

#[test]
fn a_path_that_leads_elsewhere_is_a_fault() {
    for path in ["../x", "/etc/x", "a/../../x", "", "a//b"] {
        let mut agent = TestAgent::start();
        agent.begin();
        agent.write(path, b"");
        assert!(matches!(agent.receive(), Reply::Fault { .. }), "{path:?}");
    }
}
