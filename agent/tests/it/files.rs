//! What a command finds in the work folder, whatever the one before it did there.

use guichet_agent::{Ended, Reply, Request};

use crate::support::{TestAgent, keeping, limited, shell, victim};

const LIST: &str = "cd /; find w tmp dev/shm -mindepth 1 ! -path w/passwd ! -path w/group | sort";

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

    let outcome = agent.run(shell("cat 'a/b c/d.txt'; wc -c < big; stat -c '%a %U %G' big a ."));

    let owned = "644 student student\n755 student student\n755 student student\n";
    assert_eq!(outcome.text(), format!("deep\n1433600\n{owned}"));
}

#[test]
fn a_command_may_do_all_to_its_folder_and_the_next_finds_it_as_it_was() {
    let mut agent = TestAgent::start();
    agent.begin();
    agent.write("main.txt", b"main\n");
    agent.write("data/in.txt", b"in\n");
    agent.write("data/other.txt", b"other\n");

    let first = agent.run(shell(
        "set -e; echo more >> main.txt; cat main.txt; mv main.txt moved; echo new > main.txt; rm data/in.txt; \
         mv data moved-data; mkdir data; ln moved hard; ln -s /etc link; ln -s /etc data/link; mkfifo pipe; \
         chmod 0 moved-data moved; mkdir -p x/y; chmod 0 x; chmod 0 .; echo 1 > /tmp/f; echo 1 > /dev/shm/f",
    ));
    let second = agent.run(shell("cat main.txt data/in.txt data/other.txt; stat -c '%a %U' . main.txt data"));
    let third = agent.run(shell(LIST));

    assert_eq!((first.report.ended, first.text()), (Ended::Exited(0), "main\nmore\n"), "{first:?}");
    assert_eq!(second.text(), "main\nin\nother\n755 student\n644 student\n755 student\n");
    assert_eq!(
        third.text(),
        "w/work\nw/work/data\nw/work/data/in.txt\nw/work/data/other.txt\nw/work/main.txt\n"
    );
    assert!(agent.end().ok);
}

#[test]
fn what_no_size_and_no_time_of_a_file_tells_is_undone_too() {
    let mut agent = TestAgent::start();
    agent.begin();
    agent.write("data", b"good");

    let changed = agent.run(victim("write by memory"));
    let outcome = agent.run(shell("cat data; touch -d 2001-01-01 data ."));

    assert_eq!(changed.report.ended, Ended::Exited(0));
    assert_eq!(outcome.text(), "good");
    assert_eq!(agent.run(shell("find . -not -newermt 2002-01-01")).text(), "");
}

#[test]
fn a_folder_keeps_no_mark_and_no_access_list_for_the_next_command() {
    let mut agent = TestAgent::start();
    agent.begin();
    agent.write("data", b"");

    agent.run(victim("mark the folder"));
    let second = agent.run(victim("mark the folder"));

    assert_eq!(second.text(), "");
    assert_eq!(agent.run(shell("stat -c %a data; : > new; stat -c %a new")).text(), "644\n644\n");
    assert!(agent.end().ok);
    assert_eq!(agent.run_alone(victim("mark the folder")).text(), "");
}

#[test]
fn nothing_can_be_made_or_moved_beside_the_work_folder() {
    let mut agent = TestAgent::start();
    agent.begin();
    agent.run(keeping(shell("echo 1 > /w/output/made")));

    let outcome = agent.run(shell(
        "cd /w; touch new; mkdir folder; mv work other; mv output other; rm -rf passwd group output; \
         echo evil > passwd; chmod 777 . passwd; ln passwd work/x; stat -c '%n %a %u' /w * output/made",
    ));

    let expected = "/w 755 0\ngroup 644 0\noutput 755 0\npasswd 644 0\nwork 755 30000\noutput/made 644 0\n";
    assert_eq!(outcome.text(), expected, "{outcome:?}");
}

#[test]
fn what_a_compilation_leaves_in_the_work_folder_is_found_by_each_command_with_its_modes() {
    let mut agent = TestAgent::start();
    agent.begin();
    agent.write("main.c", b"int main(void) { return 0; }\n");

    agent.run(keeping(shell(
        "printf '#!/bin/sh\\necho built\\n' > main && chmod 751 main && mkdir -p out/classes empty && echo c > out/classes/C \
         && chmod 700 out && chmod 0 out/classes/C && chmod 775 empty && echo // >> main.c && echo t > /tmp/t",
    )));
    let state = "./main; stat -c '%n %a %U' main out out/classes/C empty; cat main.c; cd /; find w tmp -mindepth 1 | sort";
    let first = agent.run(shell(state));
    agent.run(shell("echo evil > main; echo x > out/classes/X; chmod 777 out; rm -rf empty main.c"));
    let second = agent.run(shell(state));

    let modes = "main 751 student\nout 700 student\nout/classes/C 0 student\nempty 775 student\n";
    let files = "w/group\nw/output\nw/passwd\nw/work\nw/work/empty\nw/work/main\nw/work/main.c\nw/work/out\n\
                 w/work/out/classes\nw/work/out/classes/C\n";
    assert_eq!(first.text(), format!("built\n{modes}int main(void) {{ return 0; }}\n//\n{files}"));
    assert_eq!(second.text(), first.text());
    assert!(agent.end().ok);
}

#[test]
fn what_a_compilation_leaves_apart_stays_and_cannot_be_changed() {
    let mut agent = TestAgent::start();
    agent.begin();

    agent.run(keeping(shell(
        "cd /w/output; printf '#!/bin/sh\\necho built\\n' > main && chmod 777 main && cp main raised && chmod 6777 raised \
         && mkdir -p out/classes && echo c > out/classes/C && chmod 1777 out && chmod 600 out/classes/C \
         && ln -s /usr/bin/id link && mkfifo pipe && ln out/classes/C two && chmod 700 .",
    )));
    let first = agent.run(shell(
        "/w/output/main; cd /w/output; echo evil > main; echo evil >> out/classes/C; echo n > out/n; rm -rf out main; \
         chmod 777 main; mv main x; touch new; find . -printf '%p %m %u\\n' | sort",
    ));
    let second = agent.run(shell("/w/output/main; find /w/output -type f -exec cat {} + | sort"));

    let listed = first.text();
    assert!(
        listed.starts_with("built\n. 755 root\n./main 755 root\n./out 755 root\n./out/classes 755 root\n"),
        "{first:?}"
    );
    assert_eq!(listed.lines().count(), 6, "of two names one stays: {listed}");
    assert_eq!(second.text(), "built\n#!/bin/sh\nc\necho built\n");
    assert!(agent.end().ok);
}

#[test]
fn a_command_that_leaves_nothing_has_no_place_to_leave_something_apart() {
    let mut agent = TestAgent::start();
    agent.begin();

    let before = agent.run(shell("echo 1 > /w/output/x; mkdir /w/output; ls -d /w/output"));
    agent.run(keeping(shell("echo 1 > /w/output/made")));
    agent.run(keeping(shell("cat /w/output/made > /w/output/again; rm -f /w/output/made")));
    let after = agent.run(shell("ls /w/output"));

    assert_eq!((before.text(), after.text()), ("", "again\n"));
}

#[test]
fn links_and_special_files_of_a_compilation_do_not_stay() {
    let mut agent = TestAgent::start();
    agent.begin();

    agent.run(keeping(shell(
        "ln -s /usr/bin/id link; ln -s /usr folder; mkfifo pipe; echo 1 > one; ln one two; mkdir d; ln -s .. d/up; chmod 1777 .",
    )));
    let outcome =
        agent.run(shell("ls -R | grep -v '^$'; cat one two; echo owners; stat -c %u /usr/bin/id /usr"));

    let (names, owners) = outcome.text().split_once("owners\n").unwrap();
    assert!(names == ".:\nd\none\n./d:\n1\n" || names == ".:\nd\ntwo\n./d:\n1\n", "{names}");
    assert_eq!(owners, "0\n0\n");
}

#[test]
fn holes_of_a_file_stay_holes() {
    let mut agent = TestAgent::start();
    agent.begin();

    agent.run(keeping(victim("leave holes")));
    agent.run(shell("echo evil > holes"));
    let outcome = agent.run(shell("stat -c '%a %s' holes; tail -c 3 holes; du -k holes"));

    assert_eq!(outcome.text(), "640 62914563\nend4\tholes\n");
}

#[test]
fn a_folder_that_a_compilation_filled_is_found_full_by_each_command() {
    let mut agent = TestAgent::start();
    agent.begin();
    let much = |exec| limited(exec, |limits| limits.memory_bytes = 256 << 20);

    let fill = "cat /dev/zero > fill 2> /dev/null; echo 1 > /w/output/small; mkdir d; i=0; while : > d/$i; do i=$((i+1)); done";
    agent.run(much(keeping(shell(fill))));
    let state = "stat -c %s fill; ls d | wc -l";
    let first = agent.run(much(shell(state)));
    agent.run(much(shell("rm -rf d; echo 1 > fill")));
    let second = agent.run(much(shell(state)));

    assert!(first.text().split_whitespace().all(|count| count.parse::<u64>().unwrap() > 10_000), "{first:?}");
    assert_eq!(second.text(), first.text());
    assert!(agent.end().ok);
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

    assert_eq!(made.report.ended, Ended::Exited(0));
    assert_eq!(left.text(), "w/work\n");
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
    assert_eq!(empty.text(), "w/work\n");
}

#[test]
fn the_next_submission_sees_nothing_of_the_last() {
    let mut agent = TestAgent::start();
    agent.begin();
    agent.write("secret", b"1");
    agent.run(keeping(shell("echo 1 > built")));
    assert!(agent.end().ok);

    let outcome = agent.run_alone(shell(LIST));

    assert_eq!(outcome.text(), "w/work\n");
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
