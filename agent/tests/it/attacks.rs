//! Programs that mean harm: the agent lives, nothing of them is left, and the next command is none the wiser.

use guichet_agent::{Ended, StoppedBy};

use crate::support::{Outcome, TestAgent, limited, shell, victim};

fn attack(deed: &str) -> Outcome {
    attack_for(deed, 400)
}

fn attack_for(deed: &str, wall_time_ms: u64) -> Outcome {
    let mut agent = TestAgent::start();
    let exec = limited(victim(deed), |limits| {
        limits.wall_time_ms = wall_time_ms;
        limits.memory_bytes = 64 << 20;
        limits.processes = 24;
    });

    let outcome = agent.run_alone(exec);

    assert_eq!(agent.container.tasks(), 1, "{deed}");
    assert_eq!(agent.run_alone(victim("hello")).text(), "hello\n", "{deed}");
    outcome
}

#[test]
fn a_fork_bomb_leaves_nothing() {
    let report = attack("fork bomb").report;

    // A kernel may charge refused forks as memory until it gets round to freeing them.
    let limits = [StoppedBy::WallTime, StoppedBy::CpuTime, StoppedBy::Memory];
    assert!(report.stopped_by.is_some_and(|limit| limits.contains(&limit)), "{report:?}");
    assert!(report.process_refusals > 0, "{report:?}");
    assert!((1..=24).contains(&report.orphans), "{report:?}");
}

#[test]
fn a_fork_bomb_of_daemons_leaves_nothing() {
    let report = attack("fork bomb of daemons").report;

    assert!(report.process_refusals > 0, "{report:?}");
    assert!(report.wall_time_us < 1_500_000, "{report:?}");
}

#[test]
fn killing_everything_kills_only_itself() {
    let report = attack("kill all").report;

    assert!(matches!(report.ended, Ended::Exited(0) | Ended::Signaled(9)), "{report:?}");
    assert_eq!(report.stopped_by, None);
}

#[test]
fn memory_that_belongs_to_small_processes_kills_them_and_not_the_agent() {
    let outcome = attack_for("hide from the kernel", 10_000);

    assert_eq!(outcome.text(), "refused\n");
    assert_eq!(outcome.report.stopped_by, Some(StoppedBy::Memory), "{outcome:?}");
}

#[test]
fn orphans_that_end_are_collected_while_the_command_runs() {
    let mut agent = TestAgent::start();

    let report = agent.run_alone(limited(victim("zombies"), |limits| limits.processes = 8)).report;

    assert_eq!(report.ended, Ended::Exited(0), "{report:?}");
}

#[test]
fn the_agent_cannot_be_looked_into_or_signalled() {
    let mut agent = TestAgent::start();

    let outcome = agent.run_alone(shell(
        "for file in environ mem maps fd/100 root; do cat /proc/1/$file >/dev/null 2>&1 && echo read $file; done; \
         ls /proc/1/fd /.guichet /.guichet/cgroup 2>/dev/null; kill -0 1 2>/dev/null && echo signalled; \
         echo 1 > /x; echo 1 > /usr/x; echo 1 > /.guichet/x; echo end",
    ));

    assert_eq!(outcome.text(), "end\n");
}

#[test]
fn no_stream_but_its_own_can_be_opened() {
    let mut agent = TestAgent::start_on_socket();

    let outcome = agent.run_alone(shell(
        "for pid in /proc/[0-9]*; do [ $pid = /proc/$$ ] || for fd in 0 1 2 $(seq 100 120); do \
         (exec 3< $pid/fd/$fd) 2>/dev/null && echo read $pid/fd/$fd; \
         (exec 3> $pid/fd/$fd) 2>/dev/null && echo written $pid/fd/$fd; done; done; echo end",
    ));

    assert_eq!(outcome.text(), "end\n");
}

#[test]
fn a_frame_in_the_output_is_only_output() {
    let mut agent = TestAgent::start();
    let forged = "\\000\\000\\000\\002\\003\\001\\001\\000\\000\\000\\000\\000\\000\\010";

    let outcome = agent.run_alone(shell(&format!("printf '{forged}'; printf '{forged}' >&2")));

    assert_eq!(outcome.stdout.len(), 14);
    assert_eq!(outcome.stdout, outcome.stderr);
}

#[test]
fn no_process_of_a_command_can_raise_its_own_protection() {
    let mut agent = TestAgent::start();

    let outcome = agent.run_alone(shell(
        "sleep 1 & for pid in self $$ $!; do for score in 999 0 -1000; do \
         (echo $score > /proc/$pid/oom_score_adj) 2>&- && echo taken; done; cat /proc/$pid/oom_score_adj; done; kill $!",
    ));

    assert_eq!(outcome.text(), "1000\n1000\n1000\n");
}

#[test]
fn files_are_written_where_commands_may_and_streams_by_every_name() {
    let mut agent = TestAgent::start();

    let outcome = agent.run_alone(shell(
        "for folder in . /tmp /dev/shm; do echo 1 > $folder/file && cat $folder/file; done; echo 2 > /dev/null; \
         echo 3 > /dev/stdout; echo 4 > /proc/self/fd/1; echo 5 | (exec 9> /dev/fd/1; cat >&9); \
         mkfifo f; (echo 6 > f) & cat f; (echo x > /proc/self/comm) 2>&- || echo refused",
    ));

    assert_eq!(outcome.text(), "1\n1\n1\n3\n4\n5\n6\nrefused\n");
}

#[test]
fn files_are_moved_and_linked_between_folders() {
    let mut agent = TestAgent::start();

    let outcome = agent.run_alone(shell(
        "for folder in . /tmp /dev/shm; do cd $folder; mkdir a b c; echo 1 > a/x; ln a/x b/x; cat b/x; \
         mv a/x c/y && [ b/x -ef c/y ] && mv c a/ && cat a/c/y; cd /w/work; done",
    ));

    assert_eq!(outcome.text(), "1\n1\n1\n1\n1\n1\n");
}

#[test]
fn a_negative_nice_and_oom_score_are_out_of_reach() {
    let mut agent = TestAgent::start();

    let outcome = agent.run_alone(shell(
        "nice -n -5 true 2>&1 | grep -c 'cannot set'; echo -1000 2>&- > /proc/self/oom_score_adj || echo refused",
    ));

    assert!(outcome.text().ends_with("refused\n"), "{outcome:?}");
}
