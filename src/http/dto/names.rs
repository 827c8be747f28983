//! Names of the API for the domain's enums.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app;
use crate::domain::{exercise, groups, host, queue, rejudge, submission, verdict};

macro_rules! mirror {
    ($(#[$doc:meta])* $name:ident of $domain:path { $($(#[$variant_doc:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant),+
        }

        impl From<$domain> for $name {
            fn from(value: $domain) -> Self {
                match value {
                    $(<$domain>::$variant => Self::$variant),+
                }
            }
        }

        impl From<$name> for $domain {
            fn from(name: $name) -> Self {
                match name {
                    $($name::$variant => Self::$variant),+
                }
            }
        }
    };
}

mirror!(
    /// Where a submission is in its life. Unknown values may appear later.
    SubmissionState of submission::StateName {
        /// Stored; nobody has asked to run it yet.
        Draft,
        /// It waits.
        Queued,
        /// It is being run.
        Running,
        /// It was graded.
        Finished,
        /// It could not be run, for a fault of the infrastructure.
        Failed,
        /// It was taken back.
        Cancelled,
    }
);
mirror!(
    /// Where a link stands. Unknown values may appear later.
    LinkState of app::links::LinkState {
        /// It opens a connection.
        Connecting,
        /// It is connected and waits for the backend to register it.
        Registering,
        /// It has sent its HANDSHAKE.
        Connected,
        /// It pauses before it tries again.
        Waiting,
    }
);
mirror!(
    /// How a backend writes objects.
    LinkEncoding of app::links::Encoding {
        /// Kryo's bytes.
        Kryo,
        /// JSON.
        Json,
    }
);
mirror!(
    /// The outcome for a program. Unknown values may appear later.
    Verdict of verdict::Verdict {
        /// It did what was asked.
        Accepted,
        /// Its output differs from what was asked.
        WrongAnswer,
        /// It was not built.
        CompilationError,
        /// It exited with a code other than 0, or a signal killed it.
        RuntimeError,
        /// It used more CPU or wall time than allowed.
        TimeLimitExceeded,
        /// It needed more memory than allowed.
        MemoryLimitExceeded,
        /// It wrote more than allowed.
        OutputLimitExceeded,
        /// Of a test or a group alone: it was not run.
        Skipped,
    }
);
mirror!(
    /// How a group's points come from its tests. Unknown values may appear later.
    GroupScoring of groups::Scoring {
        /// The part of the group's points that its tests won of their weights, rounded down.
        Sum,
        /// The part that its worst test won of its weight.
        Min,
        /// All if every test was accepted, else none.
        AllOrNothing,
    }
);
mirror!(
    /// Why no test of a group was run. Unknown values may appear later.
    GroupSkipped of verdict::GroupSkipped {
        /// Not all tests of a group that it depends on were accepted.
        DependsOn,
    }
);
mirror!(
    /// When what comes out of judging again counts.
    RejudgeMode of rejudge::RejudgeMode {
        /// Each submission has a new round, whose result counts as soon as it is there.
        Apply,
        /// Copies are judged; what differs counts when it is applied, all of it in one step.
        Preview,
    }
);
mirror!(
    /// How far judging again is. Unknown values may appear later.
    RejudgeState of rejudge::RejudgeState {
        /// Not all were judged.
        Running,
        /// All were judged; a preview may be applied or cancelled.
        Ended,
        /// Of a preview: what differed counts.
        Applied,
        /// Of a preview: it was dropped.
        Cancelled,
    }
);
mirror!(
    /// Class in the queue; a better one always goes first.
    Priority of queue::Priority {
        /// An exam is being written.
        Exam,
        /// Everything else that a person waits for.
        Normal,
        /// Grading again what was graded.
        Rejudge,
    }
);
mirror!(
    /// Why the place or the estimate of a queued submission changed.
    PositionReason of queue::PositionReason {
        /// One ahead started or was cancelled.
        AheadLeft,
        /// One of a better class came.
        OvertakenByPriority,
        /// One of an owner who waits for less came.
        OvertakenByFairness,
        /// One ahead had started, lost its container or host, and is back at its old place.
        RescuedAhead,
        /// Slots were added or lost: the estimate changed, not the place.
        SlotsChanged,
    }
);
mirror!(
    /// Which part of the infrastructure was lost.
    LostReason of submission::LostReason {
        /// The Docker host went away.
        HostLost,
        /// The container or its agent died or broke the protocol.
        ContainerLost,
        /// The instance of Guichet that ran it went away.
        InstanceLost,
    }
);
mirror!(
    /// Why a round ended without a result.
    FailureCode of submission::FailureCode {
        /// The Docker host went away.
        HostLost,
        /// The container or its agent died or broke the protocol.
        ContainerLost,
        /// The instance of Guichet that ran it went away.
        InstanceLost,
        /// The exercise is at fault: its checker failed.
        CheckerFailed,
    }
);
mirror!(
    /// Who may see the input, the expected output and the output of a test.
    Visibility of exercise::Visibility {
        /// Everybody who may see the exercise.
        Public,
        /// Teachers, backends and admins.
        Hidden,
    }
);

/// How an exercise is graded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExerciseKind {
    /// The program reads standard input and arguments; its output is checked.
    Stdio,
}

mirror!(
    /// Whether a container serves several submissions.
    Isolation of exercise::Isolation {
        /// The container is emptied and verified after each submission.
        Reset,
        /// The container is thrown away after each submission.
        Fresh,
    }
);
mirror!(
    /// Where usage was measured.
    UsageSource of verdict::UsageSource {
        /// Counters of cgroup v1.
        CgroupV1,
        /// Counters of cgroup v2, with a peak that is reset before each command.
        CgroupV2,
        /// cgroup v2 of an older kernel: the peak of memory is sampled.
        CgroupV2Sampled,
        /// `wait4`: misses children that nobody waited for.
        Rusage,
    }
);
mirror!(
    /// A resource that has a limit.
    LimitKind of verdict::LimitKind {
        /// CPU time, in milliseconds.
        CpuTime,
        /// Wall time, in milliseconds.
        WallTime,
        /// Memory, in bytes.
        Memory,
        /// Standard output and error together, in bytes.
        Output,
        /// Processes and threads.
        Processes,
    }
);
mirror!(
    /// How bad a diagnostic is.
    Severity of verdict::Severity {
        /// The program is not built.
        Error,
        /// It is built.
        Warning,
        /// More about the one before.
        Note,
    }
);
mirror!(
    /// What a caller is here.
    Role of app::Role {
        /// Creates, reads, streams and cancels his own submissions.
        Student,
        /// Writes exercises; reads and cancels anyone's submissions.
        Teacher,
        /// A platform: creates submissions for any owner.
        Backend,
        /// All.
        Admin,
    }
);

mirror!(
    /// What a host is for.
    HostMode of host::HostMode {
        /// It takes submissions.
        Active,
        /// It takes nothing new.
        Cordoned,
        /// It takes nothing new, since it is to be emptied.
        Draining,
    }
);

mirror!(
    /// How a host does. Unknown values may appear later.
    HostState of app::hosts::HostState {
        /// It was not reached yet; the first attempt goes on.
        Connecting,
        /// It answers.
        Healthy,
        /// It did not answer the last time; nothing new is sent there.
        Suspect,
        /// It cannot be reached; it is tried again and again.
        Unreachable,
        /// It answers, and programs do not run there as they should, which `last_error` is about. It takes nothing new, and
        /// is tried again and again.
        Quarantined,
    }
);

mirror!(
    /// What keeps programs from running. Unknown values may appear later.
    Hindrance of app::Hindrance {
        /// There is no Docker host.
        NoHost,
        /// All Docker hosts are cordoned or draining.
        NoActiveHost,
        /// None of the others answers, or those that do are in quarantine.
        NoHealthyHost,
        /// None of those has an image that works.
        NoImage,
        /// Containers are being made.
        Starting,
    }
);

mirror!(
    /// What went wrong on a host. Unknown values may appear later.
    HostErrorCode of app::hosts::HostErrorCode {
        /// There is no way to it.
        Unreachable,
        /// There is no TLS with it: a certificate or key is missing or of no use, or one side speaks plainly.
        Tls,
        /// It takes no connection, or answers with a refusal.
        Refused,
        /// It stopped answering.
        Silent,
        /// An image could not be used.
        Image,
        /// A container did not start.
        Launch,
        /// A runtime's check program did not end well there.
        Canary,
        /// Its disk is full.
        DiskFull,
    }
);

mirror!(
    /// What a container is doing. Unknown values may appear later.
    ContainerState of app::containers::ContainerState {
        /// It was made, and its agent has not answered yet.
        Starting,
        /// It waits for a submission.
        Warm,
        /// It serves one.
        Busy,
        /// Its submission has ended, and it is being emptied for the next one.
        Emptying,
        /// It is being removed.
        Removing,
    }
);

mirror!(
    /// How the agent in a container is spoken to.
    ContainerTransport of app::containers::TransportKind {
        /// Over the container's streams, through its engine.
        Attach,
        /// Over a socket of its own.
        Socket,
    }
);

#[cfg(test)]
mod tests {
    use super::{SubmissionState, UsageSource, Verdict};
    use crate::domain::submission::StateName;
    use crate::domain::verdict;

    fn shown(value: impl serde::Serialize) -> String {
        serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
    }

    #[test]
    fn states_and_verdicts_have_the_domain_s_names() {
        let states = StateName::ALL.map(|state| shown(SubmissionState::from(state)));
        let verdicts = verdict::Verdict::ALL.map(|verdict| shown(Verdict::from(verdict)));

        assert_eq!(states, StateName::ALL.map(|state| state.name().to_owned()));
        assert_eq!(verdicts, verdict::Verdict::ALL.map(|verdict| verdict.name().to_owned()));
    }

    #[test]
    fn a_version_of_cgroups_reads_as_documented() {
        assert_eq!(shown(UsageSource::from(verdict::UsageSource::CgroupV1)), "cgroup_v1");
        assert_eq!(shown(UsageSource::from(verdict::UsageSource::CgroupV2Sampled)), "cgroup_v2_sampled");
    }
}
